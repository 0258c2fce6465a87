//! Decimal fractions, in which sprig's `addf` and its kin compute, as shopspring/decimal does: exactly, but for quotients.
//!
//! A result is taken from a double and may be of any length up to a bound; what it is computed with is a double. So long
//! numbers are only ever multiplied and divided by short ones.

use std::cmp::Ordering;

use crate::template::go::Refusal;
use crate::template::go::strconv::FloatForm;
use crate::template::go::strconv::format_float;

/// Digits in a limb, and the value that they do not reach.
const WIDTH: u32 = 18;
const BASE: u64 = 10_u64.pow(WIDTH);

/// How many limbs a number may have: 73,728 digits, in 32 KiB. Sums of doubles need some 700 digits.
const MAX_LIMBS: usize = 4096;

/// Quotients have this many decimal places.
const DIVISION_PLACES: i64 = 16;

/// The shortest decimal that reads back as a double: digits × 10^exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    negative: bool,
    /// 17 at most.
    digits: u64,
    exponent: i64,
}

/// A number: limbs × 10^exponent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// From the lowest to the highest, which is not zero.
    limbs: Vec<u64>,
    exponent: i64,
}

impl Short {
    /// Takes a double apart.
    ///
    /// # Errors
    ///
    /// Infinities and NaN are no decimals.
    pub(crate) fn from_float(number: f64) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("cannot create a decimal from {number}"));
        let text = format_float(number.abs(), FloatForm::Exponent, None);
        let (mantissa, exponent) = text.split_once('e').ok_or_else(refused)?;
        let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let places = i64::try_from(places).map_err(|_| refused())?;
        let digits = mantissa.replace('.', "").parse().map_err(|_| refused())?;
        let exponent: i64 = exponent.parse().map_err(|_| refused())?;
        Ok(Self { negative: number.is_sign_negative(), digits, exponent: exponent - places })
    }

    pub(crate) fn is_zero(self) -> bool {
        self.digits == 0
    }

    fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }
}

impl From<Short> for Decimal {
    fn from(short: Short) -> Self {
        let Short { negative, digits, exponent } = short;
        Self::new(negative, vec![digits], exponent)
    }
}

/// `None` is a number that is too long.
impl Decimal {
    fn new(negative: bool, limbs: Vec<u64>, exponent: i64) -> Self {
        let limbs = trimmed(limbs);
        // Zero has neither, so that nothing is aligned for its sake.
        match limbs.is_empty() {
            true => Self { negative: false, limbs, exponent: 0 },
            false => Self { negative, limbs, exponent },
        }
    }

    /// How many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        self.limbs.len() * size_of::<u64>()
    }

    /// The nearest double, of two the even one.
    pub(crate) fn to_float(&self) -> f64 {
        let mut text = String::from(if self.negative { "-0" } else { "0" });
        text.extend(self.limbs.iter().rev().map(|limb| format!("{limb:0width$}", width = WIDTH as usize)));
        format!("{text}e{}", self.exponent).parse().unwrap_or(f64::NAN)
    }

    pub(crate) fn add(self, other: Short) -> Option<Self> {
        if other.is_zero() {
            return Some(self);
        }
        if self.limbs.is_empty() {
            return Some(other.into());
        }
        let exponent = self.exponent.min(other.exponent);
        let left = raised(self.limbs, self.exponent - exponent)?;
        let right = raised(vec![other.digits], other.exponent - exponent)?;
        let (negative, limbs) = match (self.negative == other.negative, compared(&left, &right)) {
            (true, _) => (self.negative, sum(left, &right)),
            (false, Ordering::Less) => (other.negative, difference(right, &left)),
            (false, _) => (self.negative, difference(left, &right)),
        };
        Some(Self::new(negative, limbs, exponent)).filter(|sum| sum.limbs.len() <= MAX_LIMBS)
    }

    pub(crate) fn sub(self, other: Short) -> Option<Self> {
        self.add(other.negated())
    }

    pub(crate) fn mul(self, other: Short) -> Option<Self> {
        let limbs = multiplied(self.limbs, other.digits);
        let product = Self::new(self.negative != other.negative, limbs, self.exponent + other.exponent);
        Some(product).filter(|product| product.limbs.len() <= MAX_LIMBS)
    }

    /// The quotient to 16 places, halves away from zero. The divisor is not zero.
    pub(crate) fn div(self, other: Short) -> Option<Self> {
        let shift = self.exponent - other.exponent + DIVISION_PLACES;
        let (dividend, divisor) = match shift {
            0.. => (raised(self.limbs, shift)?, other.digits),
            // One place is kept: what is dropped beyond it cannot make up a half, since ten divisors are even.
            _ => (lowered(self.limbs, -shift - 1), other.digits * 10),
        };
        let (mut quotient, rest) = divided(dividend, divisor);
        if rest * 2 >= divisor {
            quotient = sum(quotient, &[1]);
        }
        Some(Self::new(self.negative != other.negative, quotient, -DIVISION_PLACES))
    }
}

fn trimmed(mut limbs: Vec<u64>) -> Vec<u64> {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    limbs
}

/// Whole limbs, and the rest as a factor, of so many places.
fn places(count: i64) -> Option<(usize, u64)> {
    let whole = usize::try_from(count / i64::from(WIDTH)).ok()?;
    let rest = u32::try_from(count % i64::from(WIDTH)).ok()?;
    Some((whole, 10_u64.pow(rest)))
}

/// With so many zeros behind it; `None` if that is too long.
fn raised(limbs: Vec<u64>, count: i64) -> Option<Vec<u64>> {
    if limbs.is_empty() {
        return Some(limbs);
    }
    let (whole, factor) = places(count).filter(|(whole, _)| limbs.len() + whole < MAX_LIMBS)?;
    let mut raised = vec![0; whole];
    raised.extend(multiplied(limbs, factor));
    Some(raised)
}

/// Without its last so many digits.
fn lowered(mut limbs: Vec<u64>, count: i64) -> Vec<u64> {
    match places(count) {
        Some((whole, factor)) if whole < limbs.len() => divided(limbs.split_off(whole), factor).0,
        _ => Vec::new(),
    }
}

/// Times a number below [`BASE`].
fn multiplied(mut limbs: Vec<u64>, factor: u64) -> Vec<u64> {
    let mut carry = 0;
    for limb in &mut limbs {
        (carry, *limb) = split(u128::from(*limb) * u128::from(factor) + u128::from(carry));
    }
    if carry > 0 {
        limbs.push(carry);
    }
    limbs
}

/// Quotient and rest by a number from 1 to [`BASE`].
fn divided(mut limbs: Vec<u64>, divisor: u64) -> (Vec<u64>, u64) {
    let mut rest = 0;
    for limb in limbs.iter_mut().rev() {
        let part = u128::from(rest) * u128::from(BASE) + u128::from(*limb);
        // Below BASE, since the rest is below the divisor.
        *limb = (part / u128::from(divisor)) as u64;
        rest = (part % u128::from(divisor)) as u64;
    }
    (trimmed(limbs), rest)
}

/// What carries over, and the limb that stays.
fn split(value: u128) -> (u64, u64) {
    // Both below BASE: value is below its square.
    ((value / u128::from(BASE)) as u64, (value % u128::from(BASE)) as u64)
}

fn sum(mut left: Vec<u64>, right: &[u64]) -> Vec<u64> {
    left.resize(left.len().max(right.len()) + 1, 0);
    let mut carry = 0;
    for (index, limb) in left.iter_mut().enumerate() {
        let added = *limb + right.get(index).unwrap_or(&0) + carry;
        carry = u64::from(added >= BASE);
        *limb = added - carry * BASE;
    }
    trimmed(left)
}

/// What is left of the greater when the smaller is taken away.
fn difference(mut greater: Vec<u64>, smaller: &[u64]) -> Vec<u64> {
    let mut borrow = 0;
    for (index, limb) in greater.iter_mut().enumerate() {
        let taken = smaller.get(index).unwrap_or(&0) + borrow;
        borrow = u64::from(*limb < taken);
        *limb = *limb + borrow * BASE - taken;
    }
    trimmed(greater)
}

/// Both without zeros at their highest end.
fn compared(left: &[u64], right: &[u64]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.iter().rev().cmp(right.iter().rev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(operation: fn(Decimal, Short) -> Option<Decimal>, numbers: &[f64]) -> Option<Decimal> {
        let mut numbers = numbers.iter().map(|number| Short::from_float(*number).unwrap());
        let first = numbers.next().unwrap().into();
        numbers.try_fold(first, operation)
    }

    #[track_caller]
    fn check(operation: fn(Decimal, Short) -> Option<Decimal>, numbers: &[f64], expected: f64) {
        let found = compute(operation, numbers).map(|number| number.to_float().to_bits());
        assert_eq!(found, Some(expected.to_bits()), "{numbers:?}: {:?}", found.map(f64::from_bits));
    }

    /// The results are those of shopspring/decimal 1.4.0.
    #[test]
    fn decimal_arithmetic() {
        check(Decimal::add, &[0.1, 0.2], 0.3);
        check(Decimal::add, &[-0.0], 0.0);
        check(Decimal::sub, &[0.3, 0.1], 0.2);
        check(Decimal::sub, &[0.1, 0.3, -0.2], 0.0);
        check(Decimal::mul, &[1.1, 1.1], 1.21);
        check(Decimal::div, &[1.0, 3.0], 0.333_333_333_333_333_3);
        check(Decimal::div, &[-2.0, 3.0], -0.666_666_666_666_666_7);
        check(Decimal::div, &[1e-16, 2.0], 1e-16);
        check(Decimal::div, &[-1e-16, 2.1], 0.0);
    }

    /// Of two shortest decimals that lie equally near, the even one.
    #[test]
    fn doubles_are_taken_apart_as_in_go() {
        check(Decimal::sub, &[0.06, 847_010_468_226_853.0 + 0.25], -847_010_468_226_853.1);
        assert!(Short::from_float(f64::NAN).is_err() && Short::from_float(f64::NEG_INFINITY).is_err());
    }

    #[test]
    fn from_the_greatest_to_the_least() {
        check(Decimal::add, &[1e300, 1.0, -1e300], 1.0);
        check(Decimal::add, &[f64::MAX, 5e-324, -f64::MAX], 5e-324);
        check(Decimal::add, &[f64::MAX, f64::MAX], f64::INFINITY);
        check(Decimal::add, &[f64::MAX, f64::MAX, -f64::MAX], f64::MAX);
        check(Decimal::sub, &[5e-324, f64::MAX, -f64::MAX, 5e-324], 0.0);
        check(Decimal::mul, &[1e200, 1e200, 1e-200], 1e200);
        check(Decimal::mul, &[1e-200, -1e-200, 1e200], -1e-200);
        check(Decimal::mul, &[-1e-200, 1e-200], -0.0);
        check(Decimal::mul, &[5e-324, 0.49], 0.0);
        check(Decimal::mul, &[5e-324, 0.5], 5e-324);
        check(Decimal::div, &[5e-324, 5e-324], 1.0);
        check(Decimal::div, &[1e300, 5e-324, 1e300], f64::INFINITY);
        check(Decimal::div, &[1e300, 5e-324, 1e308, 1e300], 2e15);
        check(Decimal::div, &[5e-324, 1e308], 0.0);
    }

    #[test]
    fn what_gets_too_long_is_given_up() {
        let of = |count: usize, number: f64| vec![number; count];
        assert!(compute(Decimal::mul, &of(4000, 1.234_567_890_123_456_7)).is_some());
        assert_eq!(compute(Decimal::mul, &of(5000, 1.234_567_890_123_456_7)), None);
        assert_eq!(compute(Decimal::div, &of(300, 5e-324)), None);
        // Digits alone count, as long as nothing is aligned.
        let tiny = compute(Decimal::mul, &of(5000, 1e-300)).unwrap();
        assert_eq!(tiny.size(), 8);
        assert_eq!(tiny.clone().add(Short::from_float(1.0).unwrap()), None);
        assert_eq!(tiny.div(Short::from_float(1e300).unwrap()).unwrap().to_float(), 0.0);
    }
}
