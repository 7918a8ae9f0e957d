//! The kernels as a native module for Node. The same names and plain data as `crates/wasm`, so that `js/face.ts` fits both.
//! Errors are `Error`s whose message is `code: text`.

use napi::bindgen_prelude::{Error, Float64Array, Int32Array, Result, Uint8Array, Uint32Array};
use napi_derive::napi;
use std::sync::Arc;
use vedette_kernels::{Feature, KERNEL_ABI, KernelError, Options, cut};

fn thrown(error: KernelError) -> Error {
    Error::from_reason(error.to_string())
}

/// What a handle of JavaScript holds until it is freed; what is left of it is for the garbage collector.
struct Held<T>(Option<T>);

impl<T> Held<T> {
    fn new(value: std::result::Result<T, KernelError>) -> Result<Self> {
        Ok(Self(Some(value.map_err(thrown)?)))
    }

    fn get(&self) -> Result<&T> {
        self.0.as_ref().ok_or_else(freed)
    }

    fn get_mut(&mut self) -> Result<&mut T> {
        self.0.as_mut().ok_or_else(freed)
    }
}

fn freed() -> Error {
    Error::from_reason("freed: it was freed, or has finished, and is used again")
}

/// The number that references and snapshots carry.
#[napi(catch_unwind)]
pub fn kernel_abi() -> u32 {
    KERNEL_ABI
}

/// D and p of the two-sample Kolmogorov–Smirnov test.
#[napi(catch_unwind)]
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> Float64Array {
    vedette_kernels::ks_two_sample(a, b).to_numbers().into()
}

#[napi(catch_unwind)]
pub fn mmd2(x: &[f32], y: &[f32], d: u32, gamma: f64) -> Result<f64> {
    vedette_kernels::mmd2(x, y, d as usize, gamma as f32).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn wasserstein1(a: &[f64], b: &[f64]) -> Result<f64> {
    vedette_kernels::wasserstein1(a, b).map_err(thrown)
}

/// As `Divergences::to_numbers` lists them.
#[napi(catch_unwind)]
pub fn divergences(p: &[f64], q: &[f64]) -> Result<Float64Array> {
    Ok(vedette_kernels::divergences(p, q).map_err(thrown)?.to_numbers().into())
}

/// Statistic, p and degrees of freedom.
#[napi(catch_unwind)]
pub fn chi2_test(table: &[f64], columns: u32) -> Float64Array {
    vedette_kernels::chi2_test(table, columns as usize).to_numbers().into()
}

/// Empty once it has finished.
#[napi]
pub struct Builder(Held<vedette_kernels::Builder>);

#[napi]
impl Builder {
    /// `kinds`: as `Feature::from_numbers` reads them.
    #[napi(constructor, catch_unwind)]
    pub fn new(names: Vec<String>, kinds: &[i32], seed: u32, joint: bool) -> Result<Self> {
        Held::new(vedette_kernels::Builder::new(Feature::from_numbers(names, kinds), seed, joint)).map(Self)
    }

    #[napi(catch_unwind)]
    pub fn sample(&mut self, rows: &[f32]) -> Result<()> {
        self.0.get_mut()?.sample(rows).map_err(thrown)
    }

    #[napi(catch_unwind)]
    pub fn count(&mut self, rows: &[f32]) -> Result<()> {
        self.0.get_mut()?.count(rows).map_err(thrown)
    }

    #[napi(catch_unwind)]
    pub fn finish(&mut self) -> Result<Uint8Array> {
        let builder = self.0.0.take().ok_or_else(freed)?;
        Ok(builder.finish().map_err(thrown)?.to_bytes().into())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0.0 = None;
    }
}

#[napi]
pub struct Reference(Held<Arc<vedette_kernels::Reference>>);

#[napi]
impl Reference {
    #[napi(constructor, catch_unwind)]
    pub fn new(bytes: &[u8]) -> Result<Self> {
        Held::new(vedette_kernels::Reference::from_bytes(bytes).map(Arc::new)).map(Self)
    }

    #[napi]
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.get()?.features().iter().map(|feature| feature.name.clone()).collect())
    }

    /// As `Feature::kind_number` says them.
    #[napi]
    pub fn kinds(&self) -> Result<Int32Array> {
        Ok(self.0.get()?.features().iter().map(Feature::kind_number).collect::<Vec<_>>().into())
    }

    #[napi]
    pub fn rows(&self) -> Result<u32> {
        Ok(self.0.get()?.rows())
    }

    /// 16 hexadecimal digits.
    #[napi]
    pub fn hash(&self) -> Result<String> {
        Ok(self.0.get()?.hash_digits())
    }

    #[napi]
    pub fn lags(&self) -> Result<Uint32Array> {
        Ok(self.0.get()?.lags().to_vec().into())
    }

    #[napi]
    pub fn tolerance(&self) -> Result<f64> {
        Ok(self.0.get()?.tolerance())
    }

    #[napi]
    pub fn has_joint(&self) -> Result<bool> {
        Ok(self.0.get()?.has_joint())
    }

    /// `lag` 0: the features' own.
    #[napi(catch_unwind)]
    pub fn new_state(&self, alpha: f64, threshold: f64, dead_zone: f64, lag: u32) -> Result<State> {
        let options = Options { alpha, threshold, dead_zone, lag: Some(lag).filter(|lag| *lag > 0) };
        Held::new(vedette_kernels::State::new(Arc::clone(self.0.get()?), options)).map(State)
    }

    #[napi(catch_unwind)]
    pub fn restore(&self, saved: &[u8]) -> Result<State> {
        Held::new(vedette_kernels::State::restore(Arc::clone(self.0.get()?), saved)).map(State)
    }

    #[napi(catch_unwind)]
    pub fn new_fleet_bank(&self, threshold: f64, dead_zone: f64) -> Result<FleetBank> {
        let options = Options { threshold, dead_zone, ..Options::default() };
        Held::new(vedette_kernels::FleetBank::new(Arc::clone(self.0.get()?), options)).map(FleetBank)
    }

    #[napi(catch_unwind)]
    pub fn restore_fleet_bank(&self, saved: &[u8]) -> Result<FleetBank> {
        Held::new(vedette_kernels::FleetBank::restore(Arc::clone(self.0.get()?), saved)).map(FleetBank)
    }

    #[napi]
    pub fn free(&mut self) {
        self.0.0 = None;
    }
}

#[napi]
pub struct State(Held<vedette_kernels::State>);

#[napi]
impl State {
    #[napi(catch_unwind)]
    pub fn observe(&mut self, rows: &[f32]) -> Result<()> {
        self.0.get_mut()?.observe(rows).map_err(thrown)
    }

    /// Rows of the window: an integer that a double holds exactly.
    #[napi]
    pub fn rows(&self) -> Result<f64> {
        Ok(self.0.get()?.rows() as f64)
    }

    #[napi(catch_unwind)]
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<()> {
        self.0.get_mut()?.merge(snapshot).map_err(thrown)
    }

    #[napi(catch_unwind)]
    pub fn snapshot(&self) -> Result<Uint8Array> {
        Ok(self.0.get()?.snapshot().into())
    }

    #[napi(catch_unwind)]
    pub fn save(&self) -> Result<Uint8Array> {
        Ok(self.0.get()?.save().into())
    }

    /// As `Report::to_numbers` lists them.
    #[napi(catch_unwind)]
    pub fn report(&self) -> Result<Float64Array> {
        Ok(self.0.get()?.report().to_numbers().into())
    }

    #[napi]
    pub fn roll(&mut self) -> Result<()> {
        self.0.get_mut()?.roll();
        Ok(())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0.0 = None;
    }
}

#[napi]
pub struct FleetBank(Held<vedette_kernels::FleetBank>);

#[napi]
impl FleetBank {
    /// `bytes`: snapshots one after the other, of these lengths.
    #[napi(catch_unwind)]
    pub fn step(&mut self, bytes: &[u8], lengths: &[u32], cap_rows: f64) -> Result<()> {
        self.0.get_mut()?.step(&cut(bytes, lengths), cap_rows).map_err(thrown)
    }

    #[napi]
    pub fn rounds(&self) -> Result<f64> {
        Ok(self.0.get()?.rounds() as f64)
    }

    /// As `FleetReport::to_numbers` lists them.
    #[napi(catch_unwind)]
    pub fn report(&self) -> Result<Float64Array> {
        Ok(self.0.get()?.report().to_numbers().into())
    }

    #[napi(catch_unwind)]
    pub fn save(&self) -> Result<Uint8Array> {
        Ok(self.0.get()?.save().into())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0.0 = None;
    }
}
