//! Chance that can be repeated.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// What one client throws is the same for a seed, unless it sends two requests at once.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

/// Steps through all numbers: 2^64 over the golden ratio, made odd, as SplitMix64 has it.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    pub(crate) fn new(seed: u64, client: u64) -> Self {
        // Clients begin far apart, not one step.
        Self(AtomicU64::new(mixed(seed ^ mixed(client))))
    }

    pub(crate) fn throw(&self) -> [u8; 8] {
        mixed(self.0.fetch_add(STEP, SeqCst)).to_be_bytes()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each bit of the input changes half of the output.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
