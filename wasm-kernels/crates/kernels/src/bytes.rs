//! Little-endian bytes in and out. Reading trusts nothing: every length is checked before it is used.

use crate::error::{Code, KernelError};
use crate::{KERNEL_ABI, MISSING, SLOTS};

/// Reads bytes from front to back; every failure carries `code`.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    code: Code,
}

impl<'a> Reader<'a> {
    /// Checks the magic and the abi number that open every format.
    pub fn open(bytes: &'a [u8], magic: &[u8; 4], code: Code) -> Result<Self, KernelError> {
        let mut reader = Self { rest: bytes, code };
        if reader.take(4)? != magic {
            return Err(reader.malformed("it does not begin with the right magic"));
        }
        let abi = reader.u32()?;
        if abi != KERNEL_ABI {
            let message = format!("written by kernel abi {abi}, and this is {KERNEL_ABI}");
            return Err(KernelError::new(Code::AbiMismatch, message));
        }
        Ok(reader)
    }

    /// Checks that the next eight bytes name the reference whose hash is given.
    pub fn reference(&mut self, hash: u64) -> Result<(), KernelError> {
        let written = self.u64()?;
        if written != hash {
            let message = format!("counted on reference {written:016x}, and this is {hash:016x}");
            return Err(KernelError::new(Code::ReferenceMismatch, message));
        }
        Ok(())
    }

    pub fn malformed(&self, what: &str) -> KernelError {
        KernelError::new(self.code, what)
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], KernelError> {
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.malformed("it ends too early"));
        };
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KernelError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, KernelError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, KernelError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, KernelError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, KernelError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn f32(&mut self) -> Result<f32, KernelError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub fn f64(&mut self) -> Result<f64, KernelError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A finite number between `low` and `high`, both included; whatever else is malformed.
    pub fn f32_in(&mut self, low: f32, high: f32) -> Result<f32, KernelError> {
        let x = self.f32()?;
        if (low..=high).contains(&x) { Ok(x) } else { Err(self.malformed("a number is out of range")) }
    }

    /// As [`Reader::f32_in`], for longer numbers.
    pub fn f64_in(&mut self, low: f64, high: f64) -> Result<f64, KernelError> {
        let x = self.f64()?;
        if (low..=high).contains(&x) { Ok(x) } else { Err(self.malformed("a number is out of range")) }
    }

    /// The counts of one feature, as [`write_counts`] wrote them; a second spelling of the same counts is refused.
    pub fn counts(&mut self) -> Result<[u32; SLOTS], KernelError> {
        let mut numbers = [0; 8];
        let mut counts = [0; SLOTS];
        counts[MISSING] = self.short()?;
        for eight in counts[..MISSING].chunks_exact_mut(8) {
            self.packed(&mut numbers)?;
            for (count, number) in eight.iter_mut().zip(numbers) {
                *count = u32::try_from(number).map_err(|_| self.malformed("a count is wider than 32 bits"))?;
            }
        }
        Ok(counts)
    }

    /// Eight numbers, as [`write_packed`] wrote them.
    pub fn packed(&mut self, numbers: &mut [u64; 8]) -> Result<(), KernelError> {
        let width = u32::from(self.u8()?);
        if width > 64 {
            return Err(self.malformed("a number is wider than 64 bits"));
        }
        let mut bytes = self.take(width as usize)?.iter();
        let (mut pending, mut held) = (0u128, 0);
        for number in numbers.iter_mut() {
            while held < width {
                pending |= u128::from(*bytes.next().unwrap_or(&0)) << held;
                held += 8;
            }
            *number = (pending & ((1u128 << width) - 1)) as u64;
            pending >>= width;
            held -= width;
        }
        if width_of(numbers) == width {
            Ok(())
        } else {
            Err(self.malformed("numbers are not packed as narrowly as they could be"))
        }
    }

    /// As [`write_short`] wrote it.
    fn short(&mut self) -> Result<u32, KernelError> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let narrow = shift == 0 || byte > 0;
                let number = u32::try_from(number).ok().filter(|_| narrow);
                return number.ok_or_else(|| self.malformed("a count is written at more length than it needs"));
            }
        }
        Err(self.malformed("a count is wider than 32 bits"))
    }

    pub fn end(self) -> Result<(), KernelError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("bytes follow its end")) }
    }
}

/// Writes the counts of one feature: the missing slot by [`write_short`], then each eight bins by [`write_packed`].
pub(crate) fn write_counts(counts: &[u32; SLOTS], out: &mut Vec<u8>) {
    write_short(counts[MISSING], out);
    for eight in counts[..MISSING].chunks_exact(8) {
        write_packed(&std::array::from_fn(|i| u64::from(eight[i])), out);
    }
}

/// One byte w and eight numbers of w bits, lowest bit first, in w bytes. w is the width of the largest of the eight, so
/// a quiet bin costs next to nothing.
pub(crate) fn write_packed(numbers: &[u64; 8], out: &mut Vec<u8>) {
    let width = width_of(numbers);
    out.push(width as u8);
    let (mut pending, mut held) = (0u128, 0);
    for number in numbers {
        pending |= u128::from(*number) << held;
        held += width;
        while held >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            held -= 8;
        }
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn write_short(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn width_of(numbers: &[u64; 8]) -> u32 {
    u64::BITS - numbers.iter().fold(0, |all, number| all | number).leading_zeros()
}

/// A signed number as an unsigned one, small where it is small: 0, −1, 1, −2, …
pub(crate) fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

/// Back again.
pub(crate) fn unzigzag(x: u64) -> i64 {
    (x >> 1) as i64 ^ -((x & 1) as i64)
}

/// FNV-1a, 64 bits: names a reference. It guards against mix-ups; against forgery guards the signature on the bundle.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader { rest: bytes, code: Code::SnapshotMalformed }
    }

    #[test]
    fn counts_of_every_width_come_back() {
        let mut random = Random::new(3);
        for width in 0..=32 {
            let mut counts = [0u32; SLOTS];
            counts.fill_with(|| (random.bits() & ((1 << width) - 1)) as u32);
            let mut bytes = Vec::new();
            write_counts(&counts, &mut bytes);
            let mut back = reader(&bytes);
            assert_eq!(back.counts(), Ok(counts));
            assert_eq!(back.end(), Ok(()));
        }
    }

    #[test]
    fn a_second_spelling_is_refused() {
        let mut bytes = vec![0; 1 + 16];
        assert_eq!(reader(&bytes).counts(), Ok([0; SLOTS]));
        bytes.splice(1..2, [1, 0]);
        assert!(reader(&bytes).counts().unwrap_err().message.contains("narrowly"));
        bytes[1] = 65;
        assert!(reader(&bytes).counts().unwrap_err().message.contains("wider"));
        let wide = [&[0, 33][..], &[0xff; 33]].concat();
        assert!(reader(&wide).counts().unwrap_err().message.contains("wider than 32"));
        assert!(reader(&[0x80, 0, 0]).counts().unwrap_err().message.contains("length"));
        assert!(reader(&[0x80; 9]).counts().unwrap_err().message.contains("wider"));
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0x1f]).counts().is_err());
    }

    #[test]
    fn signed_numbers_come_back() {
        for x in [0, 1, -1, 77, -12_345, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(x)), x);
        }
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
    }

    #[test]
    fn fnv1a_matches_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
