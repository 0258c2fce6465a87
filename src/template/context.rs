//! What a rendering is given besides its data: clock, randomness, strictness and limits, and the meter that keeps them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::template::function::Failure;
use crate::template::go::regex::Regex;
use crate::template::value::Text;

/// What a rendering may use and how far it may go.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Tells `now`.
    pub clock: &'a dyn Clock,
    /// Gives `uuidv4` and the like their bytes.
    pub entropy: &'a dyn Entropy,
    /// How far a rendering may go.
    pub limits: Limits,
    /// How strict it is.
    pub options: Options,
}

/// Where stepless is stricter than step-ca.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Refuses formatting that gives `%!…`, `<nil>` or `<no value>`, `%s` of lists and maps, and the silent
    /// fallbacks of functions such as `b64dec`: such text would end up in a certificate.
    pub strict: bool,
    /// Lets the formatting pass all the same. For a template whose text goes where odd text may stand; whoever
    /// sets it has to look at the output.
    pub odd_text: bool,
}

/// How far one rendering may go.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of output.
    pub output: usize,
    /// Nodes evaluated, loop turns taken, values compared or copied, and kilobytes that functions are given.
    pub steps: usize,
    /// Bytes that strings, lists and maps made on the way may take together.
    pub allocation: usize,
    /// Nested blocks, parentheses and `template` calls together; each takes stack.
    pub depth: usize,
    /// Nesting of a value that is formatted, compared or written as JSON.
    pub value_depth: usize,
}

impl<'a> Context<'a> {
    /// A strict rendering with the default limits.
    #[must_use]
    pub fn new(clock: &'a dyn Clock, entropy: &'a dyn Entropy) -> Self {
        Self { clock, entropy, limits: Limits::default(), options: Options::default() }
    }

    /// The same, with formatting that gives `%!…`, `<nil>` or `<no value>` let through.
    #[must_use]
    pub fn with_odd_text(self) -> Self {
        Self { options: Options { odd_text: true, ..self.options }, ..self }
    }

    /// The same, as lenient as step-ca: for comparing with it, not for issuing.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { options: Options { strict: false, odd_text: true }, ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { strict: true, odd_text: false }
    }
}

impl Default for Limits {
    /// A certificate document has a few kilobytes and a few hundred steps; these leave a hundredfold margin.
    fn default() -> Self {
        Self { output: 1 << 20, steps: 200_000, allocation: 8 << 20, depth: 400, value_depth: 100 }
    }
}

/// Counts what a rendering has used.
#[derive(Debug)]
pub(super) struct Meter {
    steps_left: usize,
    bytes_left: usize,
    pub(super) limits: Limits,
    /// Expressions that were compiled last, for templates that use one in a loop.
    pub(super) regexes: VecDeque<(Text, Arc<Regex>)>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { steps_left: limits.steps, bytes_left: limits.allocation, limits, regexes: VecDeque::new() }
    }

    pub(super) fn step(&mut self) -> Result<(), Failure> {
        match self.steps_left.checked_sub(1) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(Failure::Limit("too many steps")),
        }
    }

    /// Counts the work of looking at `bytes`, so that functions of short results cannot be fed for ever.
    pub(super) fn work(&mut self, bytes: usize) -> Result<(), Failure> {
        match self.steps_left.checked_sub(bytes >> 10) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(Failure::Limit("too many steps")),
        }
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                Ok(())
            }
            None => Err(Failure::Limit("too much memory")),
        }
    }
}
