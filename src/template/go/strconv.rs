//! Numbers as Go writes and reads them (package strconv, and the number form of encoding/json).

use crate::template::go::Refusal;
use crate::template::go::quote::quote;

/// The verb under which a float is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatForm {
    /// `%e`: always with an exponent of at least two digits.
    Exponent,
    /// `%f`: never with an exponent.
    Fixed,
    /// `%g`: the shorter of the two; with shortest precision this is also `%v`.
    General,
}

/// A double's exact decimal expansion has at most this many digits on either side of the point.
const LONGEST_EXPANSION: usize = 1100;

/// Decimal digits of a finite, non-negative double: 0.d₁d₂… × 10^point, without trailing zeros.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// Reads the output of Rust's `{:e}`.
    fn from_scientific(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = match digits.is_empty() {
            true => 0,
            false => exponent.parse::<i32>().unwrap_or(0) + 1,
        };
        Self { digits, point }
    }

    fn shortest(value: f64) -> Self {
        let shortest = Self::from_scientific(&format!("{value:e}"));
        // Where two texts of this length lie equally near, Go takes the even digit and Rust the upper one.
        let fraction = shortest.digits.len().saturating_sub(1);
        let nearest = format!("{value:.fraction$e}");
        if nearest.parse() == Ok(value) { Self::from_scientific(&nearest) } else { shortest }
    }

    fn rounded(value: f64, digits: usize) -> Self {
        let fraction = digits.saturating_sub(1).min(LONGEST_EXPANSION);
        Self::from_scientific(&format!("{value:.fraction$e}"))
    }

    fn digit(&self, index: i64) -> u8 {
        usize::try_from(index).ok().and_then(|index| self.digits.get(index)).copied().unwrap_or(b'0')
    }

    fn exponent_form(&self, fraction: usize, out: &mut String) {
        out.push(char::from(self.digit(0)));
        if fraction > 0 {
            out.push('.');
            for index in 1..=fraction {
                out.push(char::from(self.digit(index as i64)));
            }
        }
        let exponent = if self.digits.is_empty() { 0 } else { self.point - 1 };
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!("e{sign}{:02}", exponent.unsigned_abs()));
    }

    fn fixed_form(&self, fraction: usize, out: &mut String) {
        if self.point > 0 {
            for index in 0..i64::from(self.point) {
                out.push(char::from(self.digit(index)));
            }
        } else {
            out.push('0');
        }
        if fraction > 0 {
            out.push('.');
            for index in 0..fraction {
                out.push(char::from(self.digit(i64::from(self.point) + index as i64)));
            }
        }
    }

    fn len(&self) -> i32 {
        i32::try_from(self.digits.len()).unwrap_or(i32::MAX)
    }

    fn fraction_len(&self) -> usize {
        usize::try_from(self.len() - self.point).unwrap_or(0)
    }
}

/// Writes a float; no precision means as few digits as read back to the same value.
///
/// The caller bounds `precision`; infinities and NaN are `+Inf`, `-Inf` and `NaN`.
pub(crate) fn format_float(value: f64, form: FloatForm, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut out = String::new();
    if value.is_sign_negative() {
        out.push('-');
    }
    let value = value.abs();
    match (form, precision) {
        (FloatForm::Exponent, None) => {
            let decimal = Decimal::shortest(value);
            decimal.exponent_form(decimal.digits.len().saturating_sub(1), &mut out);
        }
        (FloatForm::Exponent, Some(precision)) => {
            Decimal::rounded(value, precision.saturating_add(1)).exponent_form(precision, &mut out);
        }
        (FloatForm::Fixed, None) => {
            let decimal = Decimal::shortest(value);
            decimal.fixed_form(decimal.fraction_len(), &mut out);
        }
        (FloatForm::Fixed, Some(precision)) => {
            let exact = precision.min(LONGEST_EXPANSION);
            out.push_str(&format!("{value:.exact$}"));
            out.extend(std::iter::repeat_n('0', precision - exact));
        }
        (FloatForm::General, precision) => general_form(value, precision, &mut out),
    }
    out
}

fn general_form(value: f64, precision: Option<usize>, out: &mut String) {
    let decimal = match precision {
        None => Decimal::shortest(value),
        Some(precision) => Decimal::rounded(value, precision.max(1)),
    };
    // Go chooses the exponent form by the precision, and by six where it is the shortest.
    let mut threshold = match precision {
        None => 6,
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(i32::MAX),
    };
    if precision.is_some() && threshold > decimal.len() && decimal.len() >= decimal.point {
        threshold = decimal.len();
    }
    let exponent = decimal.point - 1;
    if exponent < -4 || exponent >= threshold {
        decimal.exponent_form(decimal.digits.len().saturating_sub(1), out);
    } else {
        decimal.fixed_form(decimal.fraction_len(), out);
    }
}

/// Writes a float as encoding/json does: `%f`, or `%e` with a short exponent below 1e-6 and from 1e21 on.
///
/// # Errors
///
/// JSON knows neither infinities nor NaN.
pub(crate) fn json_float(value: f64) -> Result<String, Refusal> {
    if !value.is_finite() {
        let text = format_float(value, FloatForm::General, None);
        return Err(Refusal::new(format!("json: unsupported value: {text}")));
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Ok(format_float(value, FloatForm::Fixed, None));
    }
    Ok(format_float(value, FloatForm::Exponent, None).replace("e-0", "e-"))
}

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// The text is not of the form.
    Syntax,
    /// The number does not fit.
    Range,
}

impl NumberFault {
    fn refusal(self, function: &str, text: &[u8]) -> Refusal {
        let reason = match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        };
        Refusal::new(format!("strconv.{function}: parsing {}: {reason}", quote(text)))
    }
}

/// Reads a signed 64-bit integer; base 0 takes the base from the prefix and allows underscores.
///
/// # Errors
///
/// Go's sentence for a text of the wrong form or a number out of range.
pub(crate) fn parse_int(text: &[u8], base: u32) -> Result<i64, Refusal> {
    integer(text, base).map_err(|fault| fault.refusal("ParseInt", text))
}

/// Reads a decimal integer.
///
/// # Errors
///
/// As [`parse_int`], in the name of Atoi.
pub(crate) fn atoi(text: &[u8]) -> Result<i64, Refusal> {
    integer(text, 10).map_err(|fault| fault.refusal("Atoi", text))
}

/// What Atoi gives beside its error: zero for what is no number, the nearest for one out of range.
pub(crate) fn atoi_regardless(text: &[u8]) -> i64 {
    match integer(text, 10) {
        Ok(number) => number,
        Err(NumberFault::Range) if text.starts_with(b"-") => i64::MIN,
        Err(NumberFault::Range) => i64::MAX,
        Err(_) => 0,
    }
}

fn integer(text: &[u8], base: u32) -> Result<i64, NumberFault> {
    let (negative, magnitude) = match text {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let magnitude = i128::from(unsigned(magnitude, base)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| NumberFault::Range)
}

/// Reads an unsigned 64-bit integer without sign, as ParseUint does.
///
/// # Errors
///
/// The fault alone; who has a sentence to make of it knows the function's name.
pub(crate) fn unsigned(text: &[u8], base: u32) -> Result<u64, NumberFault> {
    let from_prefix = base == 0;
    let (base, digits) = match (base, text) {
        (0, [b'0', b'x' | b'X', rest @ ..]) => (16, rest),
        (0, [b'0', b'b' | b'B', rest @ ..]) => (2, rest),
        (0, [b'0', b'o' | b'O', rest @ ..]) => (8, rest),
        (0, [b'0', rest @ ..]) if !rest.is_empty() => (8, rest),
        (0, _) => (10, text),
        (base, _) => (base, text),
    };
    let underscores = digits.contains(&b'_');
    if digits.is_empty() || underscores && !(from_prefix && underscores_separate(text)) {
        return Err(NumberFault::Syntax);
    }
    let mut value = 0_u64;
    for byte in digits.iter().filter(|byte| **byte != b'_') {
        let digit = char::from(*byte).to_digit(base).ok_or(NumberFault::Syntax)?;
        // What follows a digit too many does not matter to Go.
        value = value
            .checked_mul(u64::from(base))
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or(NumberFault::Range)?;
    }
    Ok(value)
}

/// Whether every underscore stands between digits, or between a base prefix and a digit.
fn underscores_separate(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let (body, prefixed, hex) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (rest, true, true),
        [b'0', b'b' | b'B' | b'o' | b'O', rest @ ..] => (rest, true, false),
        _ => (text, false, false),
    };
    let mut before = if prefixed { b'0' } else { b'^' };
    for byte in body {
        let digit = byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit();
        let kind = match byte {
            _ if digit => b'0',
            b'_' => b'_',
            _ => b'!',
        };
        if kind == b'_' && before != b'0' || kind == b'!' && before == b'_' {
            return false;
        }
        before = kind;
    }
    before != b'_'
}

/// Reads a boolean: `1 t T TRUE true True` and their opposites.
///
/// # Errors
///
/// Go's sentence for any other text.
pub(crate) fn parse_bool(text: &[u8]) -> Result<bool, Refusal> {
    match text {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(false),
        _ => Err(NumberFault::Syntax.refusal("ParseBool", text)),
    }
}

/// Reads a double: decimal, hexadecimal with a binary exponent, infinity or NaN.
///
/// # Errors
///
/// Go's sentence for a text of the wrong form or a magnitude too large.
pub(crate) fn parse_float(text: &[u8]) -> Result<f64, Refusal> {
    float(text).map_err(|fault| fault.refusal("ParseFloat", text))
}

fn float(text: &[u8]) -> Result<f64, NumberFault> {
    let (sign, body) = match text {
        [b'+', rest @ ..] => (1.0, rest),
        [b'-', rest @ ..] => (-1.0, rest),
        _ => (1.0, text),
    };
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Ok(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Ok(f64::NAN);
    }
    if body.contains(&b'_') && !underscores_separate(body) {
        return Err(NumberFault::Syntax);
    }
    let plain: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'_').collect();
    let magnitude = match plain.as_slice() {
        [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
        _ => decimal(&plain)?,
    };
    if magnitude.is_infinite() {
        return Err(NumberFault::Range);
    }
    Ok(sign * magnitude)
}

/// Splits `12.34e5` into digits before and after the point and the exponent.
fn float_parts(
    text: &[u8],
    mark: u8,
    digit: fn(&u8) -> bool,
) -> Result<(Vec<u8>, usize, Option<i64>), NumberFault> {
    let (mantissa, exponent) = match text.iter().position(|byte| byte.eq_ignore_ascii_case(&mark)) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (mantissa.get(..at).unwrap_or_default(), mantissa.get(at + 1..).unwrap_or_default()),
        None => (mantissa, [].as_slice()),
    };
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.iter().all(digit) {
        return Err(NumberFault::Syntax);
    }
    let exponent = match exponent {
        None => None,
        Some(text) => Some(match integer(text, 10) {
            Ok(value) => value.clamp(-100_000, 100_000),
            Err(NumberFault::Range) if text.first() == Some(&b'-') => -100_000,
            Err(NumberFault::Range) => 100_000,
            Err(NumberFault::Syntax) => return Err(NumberFault::Syntax),
        }),
    };
    Ok((digits, fraction.len(), exponent))
}

fn decimal(text: &[u8]) -> Result<f64, NumberFault> {
    float_parts(text, b'e', u8::is_ascii_digit)?;
    let text = std::str::from_utf8(text).map_err(|_| NumberFault::Syntax)?;
    text.parse().map_err(|_| NumberFault::Syntax)
}

fn hexadecimal(text: &[u8]) -> Result<f64, NumberFault> {
    let (digits, fraction, exponent) = float_parts(text, b'p', u8::is_ascii_hexdigit)?;
    let exponent = exponent.ok_or(NumberFault::Syntax)?;
    let mut mantissa = 0_u64;
    let mut sticky = false;
    let mut exponent = exponent - 4 * fraction as i64;
    for digit in digits.iter().filter_map(|byte| char::from(*byte).to_digit(16)) {
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
        } else {
            sticky |= digit != 0;
            exponent += 4;
        }
    }
    if mantissa == 0 {
        return Ok(0.0);
    }
    // With the top bit of 64 set the value is mantissa × 2^exponent; 53 bits stay, fewer for subnormals.
    let shift = i64::from(mantissa.leading_zeros());
    mantissa <<= shift;
    exponent -= shift;
    if exponent + 63 > 1023 {
        return Err(NumberFault::Range);
    }
    let drop = (11 + (-1022 - (exponent + 63)).max(0)).min(64) as u32;
    let kept = mantissa.checked_shr(drop).unwrap_or(0);
    let half = 1_u64 << (drop - 1);
    let rest = if drop == 64 { mantissa } else { mantissa & ((half << 1) - 1) };
    let up = rest > half || rest == half && (sticky || kept & 1 == 1);
    let kept = (kept + u64::from(up)) as f64;
    let scale = exponent + i64::from(drop);
    // Two steps keep both factors in range; the product is exact because the bits were rounded before.
    let low = scale.max(-1022) as i32;
    Ok(kept * 2_f64.powi(low) * 2_f64.powi((scale - i64::from(low)) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(form: FloatForm, precision: Option<usize>, value: f64, expected: &str) {
        assert_eq!(format_float(value, form, precision), expected, "{value:e} {form:?} {precision:?}");
    }

    #[test]
    fn shortest_general_is_what_print_shows() {
        let check = |value, expected| check_float(FloatForm::General, None, value, expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.5, "1.5");
        check(100_000.0, "100000");
        check(1_000_000.0, "1e+06");
        check(1_767_225_600.0, "1.7672256e+09");
        check(123_456_789.0, "1.23456789e+08");
        check(0.0001, "0.0001");
        check(0.000_01, "1e-05");
        check(f64::MAX, "1.7976931348623157e+308");
        check(5e-324, "5e-324");
        // The text before last of two equally near ones.
        check(-111_181_723_061_298.62, "-1.1118172306129862e+14");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn given_precision_rounds_half_to_even_on_exact_ties() {
        check_float(FloatForm::Fixed, Some(0), 2.5, "2");
        check_float(FloatForm::Fixed, Some(0), 0.5, "0");
        check_float(FloatForm::Fixed, Some(1), 0.25, "0.2");
        check_float(FloatForm::Fixed, Some(2), 1.005, "1.00");
        check_float(FloatForm::Exponent, Some(2), 1234.5, "1.23e+03");
        check_float(FloatForm::Exponent, Some(0), 0.0, "0e+00");
        check_float(FloatForm::General, Some(3), 1e6, "1e+06");
        check_float(FloatForm::General, Some(10), 1e6, "1000000");
        check_float(FloatForm::General, Some(4), 123.456, "123.5");
        check_float(FloatForm::Fixed, None, 1e21, "1000000000000000000000");
        assert_eq!(format_float(1.0, FloatForm::Fixed, Some(1200)).len(), 1202);
    }

    fn check_json(value: f64, expected: &str) {
        assert_eq!(json_float(value).as_deref(), Ok(expected));
    }

    #[test]
    fn json_keeps_whole_numbers_whole() {
        check_json(1_767_225_600.0, "1767225600");
        check_json(1e20, "100000000000000000000");
        check_json(1e21, "1e+21");
        check_json(1e-6, "0.000001");
        check_json(1e-7, "1e-7");
        check_json(-1.5e-10, "-1.5e-10");
        assert!(json_float(f64::NAN).is_err());
    }

    fn check_int(text: &str, expected: Result<i64, &str>) {
        assert_eq!(parse_int(text.as_bytes(), 0), expected.map_err(Refusal::new), "{text}");
    }

    #[test]
    fn integers_take_their_base_from_the_prefix() {
        check_int("42", Ok(42));
        check_int("+5", Ok(5));
        check_int("-0x1F", Ok(-31));
        check_int("0b101", Ok(5));
        check_int("0o17", Ok(15));
        check_int("017", Ok(15));
        check_int("0", Ok(0));
        check_int("1_000", Ok(1000));
        check_int("0x_10", Ok(16));
        check_int("0_7", Ok(7));
        check_int("1__0", Err("strconv.ParseInt: parsing \"1__0\": invalid syntax"));
        check_int("08", Err("strconv.ParseInt: parsing \"08\": invalid syntax"));
        check_int(" 42", Err("strconv.ParseInt: parsing \" 42\": invalid syntax"));
        check_int("", Err("strconv.ParseInt: parsing \"\": invalid syntax"));
        check_int("-9223372036854775808", Ok(i64::MIN));
        check_int(
            "9223372036854775808",
            Err("strconv.ParseInt: parsing \"9223372036854775808\": value out of range"),
        );
        assert_eq!(atoi(b"1_0"), Err(Refusal::new("strconv.Atoi: parsing \"1_0\": invalid syntax")));
    }

    fn check_parsed(text: &str, expected: Option<f64>) {
        assert_eq!(parse_float(text.as_bytes()).ok(), expected, "{text}");
    }

    #[test]
    fn floats_follow_the_go_literal() {
        check_parsed("1.5", Some(1.5));
        check_parsed("1e3", Some(1000.0));
        check_parsed(".5", Some(0.5));
        check_parsed("5.", Some(5.0));
        check_parsed("1_000", Some(1000.0));
        check_parsed("0x1p-2", Some(0.25));
        check_parsed("-0x1.8p1", Some(-3.0));
        check_parsed("0x1p-1074", Some(5e-324));
        check_parsed("0x0.8p-1074", Some(0.0));
        check_parsed("0x1.fffffffffffff8p0", Some(2.0));
        check_parsed("0x1.fffffffffffffp1023", Some(f64::MAX));
        check_parsed("+inf", Some(f64::INFINITY));
        check_parsed("0x1p1024", None);
        check_parsed("0x1", None);
        check_parsed("1e400", None);
        check_parsed("-nan", None);
        check_parsed(".", None);
        check_parsed("1e", None);
        check_parsed("1 ", None);
    }
}
