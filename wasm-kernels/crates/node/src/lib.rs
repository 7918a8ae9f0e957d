//! The kernels as a native module for Node, with the surface of `crates/wasm`, so that `js/face.ts` fits both. Optional:
//! for a control plane that compiled it. Errors are `Error`s whose message is `code: text`.

use napi::bindgen_prelude::{Error, Float64Array, Int32Array, Result, Uint8Array, Uint32Array};
use napi_derive::napi;
use std::sync::Arc;
use vedette_kernels::{Feature, KERNEL_ABI, KernelError, Kind, Options};

fn thrown(error: KernelError) -> Error {
    Error::from_reason(error.to_string())
}

fn freed() -> Error {
    Error::from_reason("freed: it was freed, or has finished, and is used again")
}

/// The number that references and snapshots carry.
#[napi]
pub fn kernel_abi() -> u32 {
    KERNEL_ABI
}

/// D and p of the two-sample Kolmogorov–Smirnov test.
#[napi]
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> Float64Array {
    let test = vedette_kernels::ks_two_sample(a, b);
    vec![test.d, test.p].into()
}

#[napi]
pub fn mmd2(x: &[f32], y: &[f32], d: u32, gamma: f64) -> Result<f64> {
    vedette_kernels::mmd2(x, y, d as usize, gamma as f32).map_err(thrown)
}

#[napi]
pub fn wasserstein1(a: &[f64], b: &[f64]) -> Result<f64> {
    vedette_kernels::wasserstein1(a, b).map_err(thrown)
}

/// PSI, JS, TV, L∞ and Hellinger.
#[napi]
pub fn divergences(p: &[f64], q: &[f64]) -> Result<Float64Array> {
    let d = vedette_kernels::divergences(p, q).map_err(thrown)?;
    Ok(vec![d.psi, d.js, d.tv, d.linf, d.hellinger].into())
}

/// Statistic, p and degrees of freedom.
#[napi]
pub fn chi2_test(table: &[f64], columns: u32) -> Float64Array {
    let test = vedette_kernels::chi2_test(table, columns as usize);
    vec![test.statistic, test.p, f64::from(test.df)].into()
}

/// Empty once it has finished.
#[napi]
pub struct Builder(Option<vedette_kernels::Builder>);

#[napi]
impl Builder {
    /// `kinds`: −1 for a number, or how many categories are known.
    #[napi(constructor)]
    pub fn new(names: Vec<String>, kinds: &[i32], seed: u32, joint: bool) -> Result<Self> {
        let feature = |(name, kind): (String, &i32)| {
            let kind = if *kind < 0 { Kind::Number } else { Kind::Category { known: (*kind).min(255) as u8 } };
            Feature { name, kind }
        };
        let features = names.into_iter().zip(kinds).map(feature).collect();
        Ok(Self(Some(vedette_kernels::Builder::new(features, seed, joint).map_err(thrown)?)))
    }

    #[napi]
    pub fn sample(&mut self, rows: &[f32]) -> Result<()> {
        self.0.as_mut().ok_or_else(freed)?.sample(rows).map_err(thrown)
    }

    #[napi]
    pub fn count(&mut self, rows: &[f32]) -> Result<()> {
        self.0.as_mut().ok_or_else(freed)?.count(rows).map_err(thrown)
    }

    #[napi]
    pub fn finish(&mut self) -> Result<Uint8Array> {
        let builder = self.0.take().ok_or_else(freed)?;
        Ok(builder.finish().map_err(thrown)?.to_bytes().into())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0 = None;
    }
}

#[napi]
pub struct Reference(Option<Arc<vedette_kernels::Reference>>);

#[napi]
impl Reference {
    #[napi(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Self> {
        Ok(Self(Some(Arc::new(vedette_kernels::Reference::from_bytes(bytes).map_err(thrown)?))))
    }

    fn held(&self) -> Result<&Arc<vedette_kernels::Reference>> {
        self.0.as_ref().ok_or_else(freed)
    }

    #[napi]
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.held()?.features().iter().map(|feature| feature.name.clone()).collect())
    }

    /// −1 for a number, or how many categories are known.
    #[napi]
    pub fn kinds(&self) -> Result<Int32Array> {
        let kind = |feature: &Feature| match feature.kind {
            Kind::Number => -1,
            Kind::Category { known } => i32::from(known),
        };
        Ok(self.held()?.features().iter().map(kind).collect::<Vec<_>>().into())
    }

    #[napi]
    pub fn rows(&self) -> Result<f64> {
        Ok(f64::from(self.held()?.rows()))
    }

    /// 16 hexadecimal digits.
    #[napi]
    pub fn hash(&self) -> Result<String> {
        Ok(format!("{:016x}", self.held()?.hash()))
    }

    #[napi]
    pub fn lags(&self) -> Result<Uint32Array> {
        Ok(self.held()?.lags().to_vec().into())
    }

    #[napi]
    pub fn tolerance(&self) -> Result<f64> {
        Ok(self.held()?.tolerance())
    }

    #[napi]
    pub fn has_joint(&self) -> Result<bool> {
        Ok(self.held()?.has_joint())
    }

    /// `lag` 0: the features' own.
    #[napi]
    pub fn new_state(&self, alpha: f64, threshold: f64, dead_zone: f64, lag: u32) -> Result<State> {
        let options = Options { alpha, threshold, dead_zone, lag: Some(lag).filter(|lag| *lag > 0) };
        Ok(State(Some(vedette_kernels::State::new(Arc::clone(self.held()?), options).map_err(thrown)?)))
    }

    #[napi]
    pub fn restore(&self, saved: &[u8]) -> Result<State> {
        Ok(State(Some(vedette_kernels::State::restore(Arc::clone(self.held()?), saved).map_err(thrown)?)))
    }

    #[napi]
    pub fn new_fleet_bank(&self, threshold: f64, dead_zone: f64) -> Result<FleetBank> {
        let options = Options { threshold, dead_zone, ..Options::default() };
        Ok(FleetBank(Some(vedette_kernels::FleetBank::new(Arc::clone(self.held()?), options).map_err(thrown)?)))
    }

    #[napi]
    pub fn restore_fleet_bank(&self, saved: &[u8]) -> Result<FleetBank> {
        Ok(FleetBank(Some(vedette_kernels::FleetBank::restore(Arc::clone(self.held()?), saved).map_err(thrown)?)))
    }

    #[napi]
    pub fn free(&mut self) {
        self.0 = None;
    }
}

#[napi]
pub struct State(Option<vedette_kernels::State>);

#[napi]
impl State {
    fn held(&self) -> Result<&vedette_kernels::State> {
        self.0.as_ref().ok_or_else(freed)
    }

    fn held_mut(&mut self) -> Result<&mut vedette_kernels::State> {
        self.0.as_mut().ok_or_else(freed)
    }

    #[napi]
    pub fn observe(&mut self, rows: &[f32]) -> Result<()> {
        self.held_mut()?.observe(rows).map_err(thrown)
    }

    /// Rows of the window: an integer that a double holds exactly.
    #[napi]
    pub fn rows(&self) -> Result<f64> {
        Ok(self.held()?.rows() as f64)
    }

    #[napi]
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<()> {
        self.held_mut()?.merge(snapshot).map_err(thrown)
    }

    #[napi]
    pub fn snapshot(&self) -> Result<Uint8Array> {
        Ok(self.held()?.snapshot().into())
    }

    #[napi]
    pub fn save(&self) -> Result<Uint8Array> {
        Ok(self.held()?.save().into())
    }

    /// As `Report::to_numbers` lists them.
    #[napi]
    pub fn report(&self) -> Result<Float64Array> {
        Ok(self.held()?.report().to_numbers().into())
    }

    #[napi]
    pub fn roll(&mut self) -> Result<()> {
        self.held_mut()?.roll();
        Ok(())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0 = None;
    }
}

#[napi]
pub struct FleetBank(Option<vedette_kernels::FleetBank>);

#[napi]
impl FleetBank {
    fn held(&self) -> Result<&vedette_kernels::FleetBank> {
        self.0.as_ref().ok_or_else(freed)
    }

    /// `bytes`: snapshots one after the other, of these lengths.
    #[napi]
    pub fn step(&mut self, bytes: &[u8], lengths: &[u32], cap_rows: f64) -> Result<()> {
        let mut rest = bytes;
        let cut = |length: &u32| rest.split_off(..(*length as usize).min(rest.len())).unwrap_or_default();
        let snapshots: Vec<&[u8]> = lengths.iter().map(cut).collect();
        self.0.as_mut().ok_or_else(freed)?.step(&snapshots, cap_rows).map_err(thrown)
    }

    #[napi]
    pub fn rounds(&self) -> Result<f64> {
        Ok(self.held()?.rounds() as f64)
    }

    /// As `FleetReport::to_numbers` lists them.
    #[napi]
    pub fn report(&self) -> Result<Float64Array> {
        Ok(self.held()?.report().to_numbers().into())
    }

    #[napi]
    pub fn save(&self) -> Result<Uint8Array> {
        Ok(self.held()?.save().into())
    }

    #[napi]
    pub fn free(&mut self) {
        self.0 = None;
    }
}
