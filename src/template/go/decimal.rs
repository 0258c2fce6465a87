//! Decimal fractions, in which sprig's `addf` and its kin compute.
//!
//! Exact as long as 38 digits suffice; beyond that the result is that of binary floating point.

use crate::template::go::Refusal;

/// A number: digits × 10^exponent, or a double where the digits did not suffice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decimal {
    Exact { digits: i128, exponent: i32 },
    Rough(f64),
}

/// Quotients have this many decimal places.
const DIVISION_PLACES: i32 = 16;

impl Decimal {
    /// The shortest decimal that reads back as `number`.
    ///
    /// # Errors
    ///
    /// Infinities and NaN are no decimals.
    pub(crate) fn from_float(number: f64) -> Result<Self, Refusal> {
        if !number.is_finite() {
            return Err(Refusal::new(format!("cannot create a decimal from {number}")));
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = mantissa.replace('.', "").parse().ok();
        let exponent = exponent.parse::<i32>().ok().zip(i32::try_from(places).ok());
        Ok(match (digits, exponent) {
            (Some(digits), Some((exponent, places))) => Self::Exact { digits, exponent: exponent - places },
            _ => Self::Rough(number),
        })
    }

    /// The nearest double.
    pub(crate) fn to_float(self) -> f64 {
        match self {
            Self::Rough(number) => number,
            Self::Exact { digits, exponent } => format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN),
        }
    }

    pub(crate) fn add(self, other: Self) -> Self {
        let exact = self.aligned(other).and_then(|(left, right, exponent)| {
            Some(Self::Exact { digits: left.checked_add(right)?, exponent })
        });
        exact.unwrap_or_else(|| Self::Rough(self.to_float() + other.to_float()))
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        let exact = self.aligned(other).and_then(|(left, right, exponent)| {
            Some(Self::Exact { digits: left.checked_sub(right)?, exponent })
        });
        exact.unwrap_or_else(|| Self::Rough(self.to_float() - other.to_float()))
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        let (left, right) = (self, other);
        if let (Self::Exact { digits: l, exponent: le }, Self::Exact { digits: r, exponent: re }) =
            (left, right)
            && let Some(digits) = l.checked_mul(r)
        {
            return Self::Exact { digits, exponent: le.saturating_add(re) };
        }
        Self::Rough(self.to_float() * other.to_float())
    }

    /// The quotient to 16 places, halves away from zero; nothing for a divisor of zero.
    pub(crate) fn div(self, other: Self) -> Option<Self> {
        if other.to_float() == 0.0 {
            return None;
        }
        Some(self.quotient(other).unwrap_or_else(|| Self::Rough(self.to_float() / other.to_float())))
    }

    fn quotient(self, other: Self) -> Option<Self> {
        let (Self::Exact { digits: left, exponent: le }, Self::Exact { digits: right, exponent: re }) =
            (self, other)
        else {
            return None;
        };
        let mut shift = le.checked_sub(re)?.checked_add(DIVISION_PLACES)?;
        let mut exponent = -DIVISION_PLACES;
        let (mut left, mut right) = (left, right);
        if shift < 0 {
            let raised = 10_i128.checked_pow(shift.unsigned_abs()).and_then(|power| right.checked_mul(power));
            match raised {
                Some(raised) => right = raised,
                // Less than half of the last place.
                None if left.unsigned_abs() < i128::MAX.unsigned_abs() / 2 => {
                    return Some(Self::Exact { digits: 0, exponent: 0 });
                }
                None => return None,
            }
        }
        while shift > 0 {
            // Places that do not fit lie beyond what a double shows.
            let Some(longer) = left.checked_mul(10) else {
                exponent = exponent.checked_add(shift)?;
                break;
            };
            left = longer;
            shift -= 1;
        }
        let (whole, rest) = (left / right, left % right);
        let away = rest.unsigned_abs() >= right.unsigned_abs().div_ceil(2);
        let digits = match away {
            false => whole,
            true => whole.checked_add(left.signum() * right.signum())?,
        };
        Some(Self::Exact { digits, exponent })
    }

    /// Both numbers in units of the smaller exponent.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let (Self::Exact { digits: left, exponent: le }, Self::Exact { digits: right, exponent: re }) =
            (self, other)
        else {
            return None;
        };
        let exponent = le.min(re);
        let raise = |digits: i128, from: i32| {
            if digits == 0 {
                return Some(0);
            }
            digits.checked_mul(10_i128.checked_pow(from.abs_diff(exponent))?)
        };
        Some((raise(left, le)?, raise(right, re)?, exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: f64, right: f64, operation: fn(Decimal, Decimal) -> Decimal, expected: f64) {
        let numbers = Decimal::from_float(left).ok().zip(Decimal::from_float(right).ok());
        assert_eq!(numbers.map(|(left, right)| operation(left, right).to_float()), Some(expected));
    }

    #[test]
    fn decimal_arithmetic() {
        check(0.1, 0.2, Decimal::add, 0.3);
        check(0.3, 0.1, Decimal::sub, 0.2);
        check(1.1, 1.1, Decimal::mul, 1.21);
        check(1e300, 1.0, Decimal::add, 1e300);
        check(1e200, 1e200, Decimal::mul, f64::INFINITY);
        let third = Decimal::from_float(1.0).ok().zip(Decimal::from_float(3.0).ok());
        let third = third.and_then(|(one, three)| one.div(three));
        assert_eq!(third.map(Decimal::to_float), Some(0.333_333_333_333_333_3));
        let two_thirds = Decimal::from_float(-2.0).ok().zip(Decimal::from_float(3.0).ok());
        let two_thirds = two_thirds.and_then(|(two, three)| two.div(three));
        assert_eq!(two_thirds.map(Decimal::to_float), Some(-0.666_666_666_666_666_7));
    }
}
