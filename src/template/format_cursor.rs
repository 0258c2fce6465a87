//! Reading a `printf` format: flags, width, precision, argument numbers and verbs.

use crate::template::go::runes::first_rune;
use crate::template::value::Value;

/// Go refuses to read a width or precision once it is past this.
const LARGEST_NUMBER: i64 = 1_000_000;

/// The flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`: with field names.
    pub(super) plus_v: bool,
    /// `%#v`: as Go source.
    pub(super) sharp_v: bool,
}

/// Where the reading of a format stands.
pub(super) struct Cursor<'f> {
    pub(super) format: &'f [u8],
    pub(super) position: usize,
    pub(super) values: &'f [Value],
    pub(super) argument: usize,
    /// Whether an argument was chosen by `[n]`; then unused ones are no fault.
    pub(super) reordered: bool,
    /// Whether the last `[n]` was sound.
    pub(super) good: bool,
}

impl Cursor<'_> {
    pub(super) fn find_percent(&self) -> Option<usize> {
        let found = self.format.get(self.position..)?.iter().position(|byte| *byte == b'%')?;
        Some(self.position + found)
    }

    pub(super) fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.format.get(self.position) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        flags
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.format.get(self.position) == Some(&byte);
        self.position += usize::from(found);
        found
    }

    /// Reads a number; one that is far too large takes the rest of the format with it, as in Go.
    pub(super) fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.format.get(self.position).filter(|byte| byte.is_ascii_digit()) {
            let so_far = number.unwrap_or(0);
            if so_far > LARGEST_NUMBER.unsigned_abs() as usize {
                self.position = self.format.len();
                return None;
            }
            number = Some(so_far * 10 + usize::from(digit - b'0'));
            self.position += 1;
        }
        number
    }

    /// Takes the next argument as a width or precision.
    pub(super) fn number_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.argument)?;
        self.argument += 1;
        let number = i64::try_from(value.as_integer()?.number()).ok()?;
        (-LARGEST_NUMBER..=LARGEST_NUMBER).contains(&number).then_some(number)
    }

    /// Reads `[n]`; true if there was a sound one.
    pub(super) fn index(&mut self) -> bool {
        let Some(rest) = self.format.get(self.position..).filter(|rest| rest.first() == Some(&b'[')) else {
            return false;
        };
        self.reordered = true;
        let Some(end) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3) else {
            self.good = false;
            self.position += 1;
            return false;
        };
        let digits = rest.get(1..end).unwrap_or(&[]);
        self.position += end + 1;
        let number =
            str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(number) = number.and_then(|text| text.parse::<usize>().ok()) else {
            self.good = false;
            return false;
        };
        match number.checked_sub(1).filter(|index| *index < self.values.len()) {
            Some(index) => self.argument = index,
            None => self.good = false,
        }
        true
    }

    pub(super) fn verb(&mut self) -> Option<char> {
        let rune = first_rune(self.format.get(self.position..)?)?;
        self.position += rune.len;
        Some(rune.value)
    }
}
