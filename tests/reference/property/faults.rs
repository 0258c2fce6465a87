//! What can be odd about a request: each fault changes one thing, and several may meet.

use super::pair::Pair;
use super::random::Random;

/// One change to a pair, drawn from its own numbers.
pub(crate) type Fault = (&'static str, fn(&mut Pair<'_>, &mut Random));

/// All of them.
pub(crate) fn all() -> Vec<Fault> {
    [super::faults_csr::FAULTS, super::faults_token::FAULTS, super::faults_body::FAULTS].concat()
}
