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

    pub fn u32(&mut self) -> Result<u32, KernelError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, KernelError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn f32(&mut self) -> Result<f32, KernelError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    /// The counts of one feature, as [`write_counts`] wrote them; a second spelling of the same counts is refused.
    pub fn counts(&mut self) -> Result<[u32; SLOTS], KernelError> {
        let mut counts = [0; SLOTS];
        counts[MISSING] = self.u32()?;
        for eight in counts[..MISSING].chunks_exact_mut(8) {
            let width = u32::from(self.u8()?);
            if width > 32 {
                return Err(self.malformed("a count is wider than 32 bits"));
            }
            let mut bytes = self.take(width as usize)?.iter();
            let (mut pending, mut held) = (0u64, 0);
            for count in eight.iter_mut() {
                while held < width {
                    pending |= u64::from(*bytes.next().unwrap_or(&0)) << held;
                    held += 8;
                }
                *count = (pending & ((1u64 << width) - 1)) as u32;
                pending >>= width;
                held -= width;
            }
            if width_of(eight) != width {
                return Err(self.malformed("counts are not packed as narrowly as they could be"));
            }
        }
        Ok(counts)
    }

    pub fn end(self) -> Result<(), KernelError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("bytes follow its end")) }
    }
}

/// Writes the counts of one feature: the missing slot as u32, then for each eight bins one byte w and eight numbers of w
/// bits, lowest bit first, in w bytes. w is the width of the largest of the eight, so a quiet bin costs next to nothing.
pub(crate) fn write_counts(counts: &[u32; SLOTS], out: &mut Vec<u8>) {
    out.extend(counts[MISSING].to_le_bytes());
    for eight in counts[..MISSING].chunks_exact(8) {
        let width = width_of(eight);
        out.push(width as u8);
        let (mut pending, mut held) = (0u64, 0);
        for count in eight {
            pending |= u64::from(*count) << held;
            held += width;
            while held >= 8 {
                out.push(pending as u8);
                pending >>= 8;
                held -= 8;
            }
        }
    }
}

fn width_of(counts: &[u32]) -> u32 {
    u32::BITS - counts.iter().fold(0, |all, count| all | count).leading_zeros()
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
        let mut bytes = vec![0; 4 + 16];
        assert_eq!(reader(&bytes).counts(), Ok([0; SLOTS]));
        bytes.splice(4..5, [1, 0]);
        assert!(reader(&bytes).counts().unwrap_err().message.contains("narrowly"));
        bytes[4] = 33;
        assert!(reader(&bytes).counts().unwrap_err().message.contains("wider"));
    }

    #[test]
    fn fnv1a_matches_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
