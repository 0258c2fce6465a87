//! The number verbs of Go's `fmt`: digits, signs, prefixes and precision; padding is the printer's.

use crate::template::format_cursor::Flags;
use crate::template::go::quote;
use crate::template::go::strconv::FloatForm;
use crate::template::go::strconv::format_float;
use crate::template::value::Integer;

/// An integer under `%v %d %b %o %O %x %X`; `None` for other verbs.
pub(super) fn integer(integer: Integer, verb: char, flags: Flags) -> Option<Vec<u8>> {
    let number = integer.number();
    let magnitude = number.unsigned_abs();
    let mut digits = match verb {
        'v' | 'd' => format!("{magnitude}"),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => return None,
    };
    let signed = number < 0 || flags.plus || flags.space;
    let least = match (flags.precision, flags.width) {
        (Some(0), _) if number == 0 => return Some(Vec::new()),
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(usize::from(signed)),
        _ => 0,
    };
    if digits.len() < least {
        digits.insert_str(0, &"0".repeat(least - digits.len()));
    }
    let prefix = match verb {
        'O' if flags.sharp && !digits.starts_with('0') => "0o0",
        'O' => "0o",
        'b' if flags.sharp => "0b",
        'o' if flags.sharp && !digits.starts_with('0') => "0",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    };
    let sign = match number {
        ..0 => "-",
        _ if flags.plus => "+",
        _ if flags.space => " ",
        _ => "",
    };
    Some(format!("{sign}{prefix}{digits}").into_bytes())
}

/// An integer under `%U`: `U+4E16`, and with `#` the character behind it.
pub(super) fn unicode(integer: Integer, flags: Flags) -> Vec<u8> {
    let number = integer.number();
    let least = flags.precision.unwrap_or(4).max(4);
    // A negative number shows its 64 bits, as in Go.
    let code = if number < 0 { u128::from(integer.bits.cast_unsigned()) } else { number.unsigned_abs() };
    let mut text = format!("U+{code:0least$X}");
    if let Some(character) = u32::try_from(number).ok().and_then(char::from_u32)
        && flags.sharp
        && quote::is_print(character)
    {
        text.push_str(&format!(" '{character}'"));
    }
    text.into_bytes()
}

/// A float under `%v %g %G %e %E %f %F %x %X %b`, its sign in front; `None` for other verbs.
pub(super) fn float(number: f64, verb: char, flags: Flags) -> Option<String> {
    let precision = flags.precision;
    let text = match verb {
        'v' | 'g' | 'G' => format_float(number, FloatForm::General, precision),
        'e' | 'E' => format_float(number, FloatForm::Exponent, precision.or(Some(6))),
        'f' | 'F' => format_float(number, FloatForm::Fixed, precision.or(Some(6))),
        'x' | 'X' if !number.is_finite() => format_float(number, FloatForm::General, None),
        'x' | 'X' => hexadecimal(number, precision),
        'b' if !number.is_finite() => format_float(number, FloatForm::General, None),
        'b' => binary(number),
        _ => return None,
    };
    let text =
        if matches!(verb, 'G' | 'E' | 'X') && number.is_finite() { text.to_ascii_uppercase() } else { text };
    let mut bare = text.trim_start_matches(['+', '-']).to_owned();
    if flags.sharp && verb != 'b' && number.is_finite() {
        bare = with_point(&bare, verb, precision);
    }
    Some(match text.starts_with('-') {
        true => format!("-{bare}"),
        false if flags.plus => format!("+{bare}"),
        false if flags.space => format!(" {bare}"),
        false if number == f64::INFINITY => format!("+{bare}"),
        false => bare,
    })
}

/// Go's flag `#`: a decimal point always, and with `%g` the zeros at the end.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let hexadecimal = matches!(verb, 'x' | 'X');
    let exponent = |mark: char| matches!(mark, 'p' | 'P') || !hexadecimal && matches!(mark, 'e' | 'E');
    let (digits, tail) =
        number.split_at_checked(number.find(exponent).unwrap_or(number.len())).unwrap_or((number, ""));
    let wanted = match verb {
        'v' | 'g' | 'G' => precision.unwrap_or(6),
        'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let mut significant =
        digits.chars().filter(|digit| *digit != '.').skip_while(|digit| *digit == '0').count();
    let mut out = digits.to_owned();
    if !digits.contains('.') {
        // A lone zero counts as a digit.
        significant += usize::from(digits == "0");
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
    out.push_str(tail);
    out
}

/// A finite float as `6755399441055744p-52`.
fn binary(number: f64) -> String {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = i64::from(u16::try_from(bits >> 52 & 0x7ff).unwrap_or(0));
    let (mantissa, exponent) =
        if biased == 0 { (fraction, 1 - 1075) } else { (1 << 52 | fraction, biased - 1075) };
    format!("{}{mantissa}p{exponent:+}", if number.is_sign_negative() { "-" } else { "" })
}

/// A finite float as `0x1.8p+00`.
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    const TOP: u32 = 60;
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = i64::from(u16::try_from(bits >> 52 & 0x7ff).unwrap_or(0));
    let (mut mantissa, mut exponent) = match (biased, fraction) {
        (0, 0) => (0, 0),
        (0, _) => {
            // A subnormal number is shifted until its first digit is one.
            let shift = fraction.leading_zeros() - (63 - TOP);
            (fraction << shift, i64::from(TOP) - 1074 - i64::from(shift))
        }
        _ => ((1 << 52 | fraction) << (TOP - 52), biased - 1023),
    };
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = TOP - 4 * u32::try_from(precision).unwrap_or(0);
        let kept = mantissa >> shift;
        let rest = mantissa & ((1 << shift) - 1);
        let half = 1 << (shift - 1);
        let round_up = rest > half || rest == half && kept & 1 == 1;
        mantissa = (kept + u64::from(round_up)) << shift;
        if mantissa >> (TOP + 1) & 1 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut text = format!("{}0x{}", if number.is_sign_negative() { "-" } else { "" }, mantissa >> TOP & 1);
    let digits = format!("{:015x}", mantissa & ((1 << TOP) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) => digits.chars().chain(std::iter::repeat('0')).take(precision).collect(),
    };
    if !digits.is_empty() {
        text.push('.');
        text.push_str(&digits);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    text.push_str(&format!("p{sign}{:02}", exponent.abs()));
    text
}
