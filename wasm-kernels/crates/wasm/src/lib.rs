//! The kernels for JavaScript. Only plain data crosses: numbers, strings and typed arrays. Errors are `Error`s whose
//! message is `code: text`; `js/kernels.ts` turns them into `KernelError`.

use std::sync::Arc;
use vedette_kernels::{KERNEL_ABI, KernelError, Verdict};
use wasm_bindgen::prelude::*;

fn thrown(error: KernelError) -> JsError {
    JsError::new(&error.to_string())
}

/// The number that references and snapshots carry.
#[wasm_bindgen(js_name = kernelAbi)]
pub fn kernel_abi() -> u32 {
    KERNEL_ABI
}

/// Bytes of a reference built from `rows`: row-major \[m\]\[names.len()\], NaN = missing.
#[wasm_bindgen(js_name = buildReference)]
pub fn build_reference(names: Vec<String>, rows: &[f32]) -> Result<Vec<u8>, JsError> {
    Ok(vedette_kernels::Reference::build(names, rows).map_err(thrown)?.to_bytes())
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
        self.0.names().to_vec()
    }

    pub fn rows(&self) -> f64 {
        f64::from(self.0.rows())
    }

    /// 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        format!("{:016x}", self.0.hash())
    }

    #[wasm_bindgen(js_name = newState)]
    pub fn new_state(&self) -> State {
        State(vedette_kernels::State::new(Arc::clone(&self.0)))
    }

    pub fn restore(&self, snapshot: &[u8]) -> Result<State, JsError> {
        Ok(State(vedette_kernels::State::restore(Arc::clone(&self.0), snapshot).map_err(thrown)?))
    }
}

#[wasm_bindgen]
pub struct State(vedette_kernels::State);

#[wasm_bindgen]
impl State {
    pub fn observe(&mut self, rows: &[f32]) -> Result<(), JsError> {
        self.0.observe(rows).map_err(thrown)
    }

    /// Rows seen: an integer that a double holds exactly.
    pub fn rows(&self) -> f64 {
        self.0.rows() as f64
    }

    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), JsError> {
        self.0.merge(snapshot).map_err(thrown)
    }

    pub fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }

    /// Eight numbers a feature: n, missing, psi, psiCritical, ksLow, ksHigh, pValue, and the verdict as 0 (insufficient),
    /// 1 (none) or 2 (drift).
    pub fn report(&self, alpha: f64) -> Result<Vec<f64>, JsError> {
        let features = self.0.report(alpha).map_err(thrown)?;
        let numbers = features.iter().flat_map(|f| {
            let verdict = match f.verdict {
                Verdict::Insufficient => 0.0,
                Verdict::None => 1.0,
                Verdict::Drift => 2.0,
            };
            [f.n as f64, f.missing as f64, f.psi, f.psi_critical, f.ks_low, f.ks_high, f.p_value, verdict]
        });
        Ok(numbers.collect())
    }

    pub fn reset(&mut self) {
        self.0.reset();
    }
}
