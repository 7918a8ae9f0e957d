//! The kernels for JavaScript. Only plain data crosses: numbers, strings and typed arrays. Errors are `Error`s whose
//! message is `code: text`; `js/face.ts` turns them into `KernelError`.

use std::sync::Arc;
use vedette_kernels::{Feature, KERNEL_ABI, KernelError, Options, cut};
use wasm_bindgen::prelude::*;

fn thrown(error: KernelError) -> JsError {
    JsError::new(&error.to_string())
}

/// The number that references and snapshots carry.
#[wasm_bindgen(js_name = kernelAbi)]
pub fn kernel_abi() -> u32 {
    KERNEL_ABI
}

/// D and p of the two-sample Kolmogorov–Smirnov test.
#[wasm_bindgen(js_name = ksTwoSample)]
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> Vec<f64> {
    vedette_kernels::ks_two_sample(a, b).to_numbers()
}

#[wasm_bindgen]
pub fn mmd2(x: &[f32], y: &[f32], d: u32, gamma: f32) -> Result<f64, JsError> {
    vedette_kernels::mmd2(x, y, d as usize, gamma).map_err(thrown)
}

#[wasm_bindgen]
pub fn wasserstein1(a: &[f64], b: &[f64]) -> Result<f64, JsError> {
    vedette_kernels::wasserstein1(a, b).map_err(thrown)
}

/// As `Divergences::to_numbers` lists them.
#[wasm_bindgen]
pub fn divergences(p: &[f64], q: &[f64]) -> Result<Vec<f64>, JsError> {
    Ok(vedette_kernels::divergences(p, q).map_err(thrown)?.to_numbers())
}

/// Statistic, p and degrees of freedom.
#[wasm_bindgen(js_name = chi2Test)]
pub fn chi2_test(table: &[f64], columns: u32) -> Vec<f64> {
    vedette_kernels::chi2_test(table, columns as usize).to_numbers()
}

/// Empty once it has finished.
#[wasm_bindgen]
pub struct Builder(Option<vedette_kernels::Builder>);

#[wasm_bindgen]
impl Builder {
    /// `kinds`: as `Feature::from_numbers` reads them.
    #[wasm_bindgen(constructor)]
    pub fn new(names: Vec<String>, kinds: &[i32], seed: u32, joint: bool) -> Result<Builder, JsError> {
        let features = Feature::from_numbers(names, kinds);
        Ok(Self(Some(vedette_kernels::Builder::new(features, seed, joint).map_err(thrown)?)))
    }

    pub fn sample(&mut self, rows: &[f32]) -> Result<(), JsError> {
        self.0.as_mut().ok_or_else(spent)?.sample(rows).map_err(thrown)
    }

    pub fn count(&mut self, rows: &[f32]) -> Result<(), JsError> {
        self.0.as_mut().ok_or_else(spent)?.count(rows).map_err(thrown)
    }

    pub fn finish(&mut self) -> Result<Vec<u8>, JsError> {
        let builder = self.0.take().ok_or_else(spent)?;
        Ok(builder.finish().map_err(thrown)?.to_bytes())
    }
}

fn spent() -> JsError {
    JsError::new("freed: this builder has finished and is used again")
}

#[wasm_bindgen]
pub struct Reference(Arc<vedette_kernels::Reference>);

#[wasm_bindgen]
impl Reference {
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Reference, JsError> {
        Ok(Self(Arc::new(vedette_kernels::Reference::from_bytes(bytes).map_err(thrown)?)))
    }

    pub fn names(&self) -> Vec<String> {
        self.0.features().iter().map(|feature| feature.name.clone()).collect()
    }

    /// As `Feature::kind_number` says them.
    pub fn kinds(&self) -> Vec<i32> {
        self.0.features().iter().map(Feature::kind_number).collect()
    }

    pub fn rows(&self) -> f64 {
        f64::from(self.0.rows())
    }

    /// 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        self.0.hash_digits()
    }

    pub fn lags(&self) -> Vec<u32> {
        self.0.lags().to_vec()
    }

    pub fn tolerance(&self) -> f64 {
        self.0.tolerance()
    }

    #[wasm_bindgen(js_name = hasJoint)]
    pub fn has_joint(&self) -> bool {
        self.0.has_joint()
    }

    /// `lag` 0: the features' own.
    #[wasm_bindgen(js_name = newState)]
    pub fn new_state(&self, alpha: f64, threshold: f64, dead_zone: f64, lag: u32) -> Result<State, JsError> {
        let options = Options { alpha, threshold, dead_zone, lag: Some(lag).filter(|lag| *lag > 0) };
        Ok(vedette_kernels::State::new(Arc::clone(&self.0), options).map_err(thrown)?.into())
    }

    pub fn restore(&self, saved: &[u8]) -> Result<State, JsError> {
        Ok(vedette_kernels::State::restore(Arc::clone(&self.0), saved).map_err(thrown)?.into())
    }

    #[wasm_bindgen(js_name = newFleetBank)]
    pub fn new_fleet_bank(&self, threshold: f64, dead_zone: f64) -> Result<FleetBank, JsError> {
        let options = Options { threshold, dead_zone, ..Options::default() };
        Ok(FleetBank(vedette_kernels::FleetBank::new(Arc::clone(&self.0), options).map_err(thrown)?))
    }

    #[wasm_bindgen(js_name = restoreFleetBank)]
    pub fn restore_fleet_bank(&self, saved: &[u8]) -> Result<FleetBank, JsError> {
        Ok(FleetBank(vedette_kernels::FleetBank::restore(Arc::clone(&self.0), saved).map_err(thrown)?))
    }
}

#[wasm_bindgen]
pub struct State {
    state: vedette_kernels::State,
    /// Where JavaScript puts a few rows, so that a call for one allocates nothing.
    room: Vec<f32>,
}

impl From<vedette_kernels::State> for State {
    fn from(state: vedette_kernels::State) -> Self {
        Self { state, room: Vec::new() }
    }
}

#[wasm_bindgen]
impl State {
    pub fn observe(&mut self, rows: &[f32]) -> Result<(), JsError> {
        self.state.observe(rows).map_err(thrown)
    }

    /// Address of room for so many values, until the next call.
    pub fn room(&mut self, values: usize) -> *mut f32 {
        if self.room.len() < values {
            self.room.resize(values, 0.0);
        }
        self.room.as_mut_ptr()
    }

    /// Observes so many values that were put there; false, and none was taken, where they are not whole rows.
    #[wasm_bindgen(js_name = observeRoom)]
    pub fn observe_room(&mut self, values: usize) -> bool {
        self.room.get(..values).is_some_and(|rows| self.state.observe(rows).is_ok())
    }

    /// Rows of the window: an integer that a double holds exactly.
    pub fn rows(&self) -> f64 {
        self.state.rows() as f64
    }

    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), JsError> {
        self.state.merge(snapshot).map_err(thrown)
    }

    pub fn snapshot(&self) -> Vec<u8> {
        self.state.snapshot()
    }

    pub fn save(&self) -> Vec<u8> {
        self.state.save()
    }

    /// As `Report::to_numbers` lists them.
    pub fn report(&self) -> Vec<f64> {
        self.state.report().to_numbers()
    }

    pub fn roll(&mut self) {
        self.state.roll();
    }
}

#[wasm_bindgen]
pub struct FleetBank(vedette_kernels::FleetBank);

#[wasm_bindgen]
impl FleetBank {
    /// `bytes`: snapshots one after the other, of these lengths.
    pub fn step(&mut self, bytes: &[u8], lengths: &[u32], cap_rows: f64) -> Result<(), JsError> {
        self.0.step(&cut(bytes, lengths), cap_rows).map_err(thrown)
    }

    pub fn rounds(&self) -> f64 {
        self.0.rounds() as f64
    }

    /// As `FleetReport::to_numbers` lists them.
    pub fn report(&self) -> Vec<f64> {
        self.0.report().to_numbers()
    }

    pub fn save(&self) -> Vec<u8> {
        self.0.save()
    }
}
