//! Semantic versions and constraints on them, as sprig's `semver` and `semverCompare` read them.
//!
//! Versions may lack minor and patch number and may begin with `v`; constraints know `= != > < >= <= ~ ^`,
//! wildcards, ranges `1.2 - 1.4`, spaces or commas for "and", `||` for "or".

use std::cmp::Ordering;

use crate::template::go::Refusal;
use crate::template::go::strconv::unsigned;

/// A version of the form `1.2.3-pre+meta`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    /// What follows the dash, without it; may be empty.
    pub(crate) prerelease: String,
    /// What follows the plus sign, without it; may be empty.
    pub(crate) metadata: String,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// The text is no version, or a number exceeds 64 bits.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::new("Invalid Semantic Version");
        let body = text.strip_prefix('v').unwrap_or(text);
        let (body, metadata) = match body.split_once('+') {
            Some((body, metadata)) => (body, Some(metadata)),
            None => (body, None),
        };
        let (numbers, prerelease) = match body.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (body, None),
        };
        if metadata.is_some_and(|metadata| !metadata.split('.').all(is_identifier)) {
            return Err(invalid());
        }
        let canonical =
            |part: &str| is_identifier(part) && (part == "0" || !part.starts_with('0') || !is_number(part));
        if prerelease.is_some_and(|prerelease| !prerelease.split('.').all(canonical)) {
            return Err(invalid());
        }
        let mut parts = [0; 3];
        for (index, part) in numbers.split('.').enumerate() {
            let place = parts.get_mut(index).ok_or_else(invalid)?;
            if !is_number(part) {
                return Err(invalid());
            }
            *place = unsigned(part.as_bytes(), 10).map_err(|_| {
                Refusal::new(format!("Error parsing version segment: {part} is out of range"))
            })?;
        }
        let [major, minor, patch] = parts;
        Ok(Self {
            major,
            minor,
            patch,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
        })
    }

    /// The order of versions; metadata does not count, a prerelease comes before its release.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.as_str(), other.prerelease.as_str()) {
                ("", "") => Ordering::Equal,
                ("", _) => Ordering::Greater,
                (_, "") => Ordering::Less,
                (left, right) => prerelease_order(left, right),
            }
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(formatter, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(formatter, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
}

fn prerelease_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => {
                let number = |part: &str| unsigned(part.as_bytes(), 10).ok();
                match (number(left), number(right)) {
                    (Some(left), Some(right)) => left.cmp(&right),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => left.cmp(right),
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Whether `version` satisfies `constraint`.
///
/// # Errors
///
/// One of the two cannot be read.
pub(crate) fn satisfies(constraint: &str, version: &str) -> Result<bool, Refusal> {
    let alternatives = constraint.split("||").map(conditions).collect::<Result<Vec<_>, _>>()?;
    let version = Version::parse(version)?;
    Ok(alternatives.iter().any(|conditions| conditions.iter().all(|condition| condition.holds(&version))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Longer spellings first, so that none is cut short.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterEqual),
    ("=>", Operator::GreaterEqual),
    ("<=", Operator::LessEqual),
    ("=<", Operator::LessEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

/// How much of a constraint's version is given; a wildcard counts as not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Major,
    Minor,
    All,
}

#[derive(Debug)]
struct Condition {
    operator: Operator,
    bound: Version,
    given: Given,
}

/// Reads the conditions between two `||`.
fn conditions(text: &str) -> Result<Vec<Condition>, Refusal> {
    let improper = || Refusal::new(format!("improper constraint: {text}"));
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        let (operator, after) = OPERATORS
            .iter()
            .find_map(|(spelling, operator)| Some((*operator, rest.strip_prefix(spelling)?)))
            .ok_or_else(improper)?;
        let bare = after.len() == rest.len();
        let (version, after) = word(after.trim_start());
        let trimmed = after.trim_start();
        let upper = trimmed.strip_prefix('-').filter(|upper| bare && upper.starts_with(char::is_whitespace));
        if let Some(upper) = upper.filter(|_| trimmed.len() < after.len()) {
            let (upper, after) = word(upper.trim_start());
            found.push(Condition::parse(Operator::GreaterEqual, version).ok_or_else(improper)?);
            found.push(Condition::parse(Operator::LessEqual, upper).ok_or_else(improper)?);
            rest = after;
        } else {
            found.push(Condition::parse(operator, version).ok_or_else(improper)?);
            rest = after;
        }
        let separated = rest.trim_start();
        let next = separated.strip_prefix(',').map_or(separated, str::trim_start);
        if separated.is_empty() {
            return Ok(found);
        }
        if next.len() == rest.len() {
            return Err(improper());
        }
        rest = next;
    }
}

/// Cuts off the characters a version may have.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|value: char| !(value.is_ascii_alphanumeric() || "*.-+".contains(value)));
    text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""))
}

impl Condition {
    fn parse(operator: Operator, text: &str) -> Option<Self> {
        let body = text.strip_prefix('v').unwrap_or(text);
        let suffix = body.find(['-', '+']).unwrap_or(body.len());
        let (numbers, suffix) = body.split_at_checked(suffix)?;
        let suffix = suffix.split_once('+').map_or(suffix, |(prerelease, _)| prerelease);
        let mut parts = numbers.split('.').map(|part| match part {
            "x" | "X" | "*" => None,
            _ => Some(part),
        });
        let (major, minor, patch) = (parts.next()?, parts.next().flatten(), parts.next().flatten());
        if parts.next().is_some() {
            return None;
        }
        let (given, numbers) = match (major, minor, patch) {
            (None, _, _) => (Given::Nothing, "0.0.0".to_owned()),
            (Some(major), None, _) => (Given::Major, format!("{major}.0.0")),
            (Some(major), Some(minor), None) => (Given::Minor, format!("{major}.{minor}.0")),
            (Some(major), Some(minor), Some(patch)) => (Given::All, format!("{major}.{minor}.{patch}")),
        };
        let bound = Version::parse(&format!("{numbers}{suffix}")).ok()?;
        Some(Self { operator, bound, given })
    }

    fn holds(&self, version: &Version) -> bool {
        // A prerelease satisfies only a condition that names one.
        let plain = version.prerelease.is_empty() || !self.bound.prerelease.is_empty();
        let order = version.order(&self.bound);
        let same_major = version.major == self.bound.major;
        let same_minor = same_major && version.minor == self.bound.minor;
        match self.operator {
            Operator::NotEqual => match self.given {
                Given::All => order.is_ne(),
                Given::Minor => plain && (!same_minor || version.prerelease != self.bound.prerelease),
                Given::Nothing => plain && order.is_ne(),
                Given::Major => plain && !same_major,
            },
            _ if !plain => false,
            Operator::Equal if self.given == Given::All => order.is_eq(),
            Operator::Equal | Operator::Tilde => self.tilde(version, order),
            Operator::Caret => self.caret(version, order),
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Greater => match self.given {
                Given::Nothing | Given::All => order.is_gt(),
                Given::Major => version.major > self.bound.major,
                Given::Minor => (version.major, version.minor) > (self.bound.major, self.bound.minor),
            },
            Operator::LessEqual => match self.given {
                Given::All => order.is_le(),
                Given::Major => version.major <= self.bound.major,
                Given::Nothing | Given::Minor => {
                    (version.major, version.minor) <= (self.bound.major, self.bound.minor)
                }
            },
        }
    }

    /// As large at least, with the same major and, if given, minor number; `~0.0.0` and `~*` admit anything.
    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        let anything = (self.bound.major, self.bound.minor, self.bound.patch) == (0, 0, 0)
            && matches!(self.given, Given::Nothing | Given::All);
        let major = version.major == self.bound.major;
        let minor = version.minor == self.bound.minor || self.given == Given::Major;
        order.is_ge() && (anything || major && minor)
    }

    /// As large at least, with the same numbers up to the first that is not zero.
    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let bound = &self.bound;
        let same_major = version.major == bound.major;
        order.is_ge()
            && same_major
            && (bound.major > 0
                || self.given == Given::Major
                || version.minor == bound.minor
                    && (bound.minor > 0 || self.given == Given::Minor || version.patch == bound.patch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraint: &str, version: &str, expected: bool) {
        assert_eq!(satisfies(constraint, version), Ok(expected), "{constraint} on {version}");
    }

    #[test]
    fn constraints() {
        check(">=1.2.0 <2.0.0", "1.5.0", true);
        check(">= 1.2.0, < 2.0.0", "2.0.0", false);
        check("^1.2.0", "2.0.0", false);
        check("^0.2.3", "0.2.9", true);
        check("^0.0.3", "0.0.4", false);
        check("^0.0", "0.0.9", true);
        check("^0", "0.9.9", true);
        check("~1.2", "1.2.9", true);
        check("~1", "1.9.0", true);
        check("~>1.2.3", "1.3.0", false);
        check("1.2.x", "1.2.7", true);
        check("1.2", "1.2.7", true);
        check("=1.2.3", "1.2.3+build", true);
        check("!=1.2.x", "1.2.7", false);
        check("!=1.2.x", "1.3.0", true);
        check("!=1", "1.3.0", false);
        check("!=*", "0.5.0", true);
        check("^*", "0.5.0", false);
        check("~0.0.0", "1.5.0", true);
        check(">11", "11.1.0", false);
        check(">11", "12.0.0", true);
        check(">11.1", "11.1.1", false);
        check("<=11", "11.9.0", true);
        check("<=11.1", "11.2.0", false);
        check("1.2 - 1.4.5", "1.4.5", true);
        check("1.2 - 1.4.5", "1.4.6", false);
        check("<1 || >=3", "3.1.0", true);
        check(">=1.0.0", "1.1.0-beta", false);
        check(">=1.0.0-0", "1.1.0-beta", true);
        check("*", "7.0.0", true);
        check("v1.2.3", "v1.2.3", true);
    }

    #[test]
    fn versions() {
        let order =
            |left, right| Version::parse(left).ok().zip(Version::parse(right).ok()).map(|(l, r)| l.order(&r));
        assert_eq!(order("1.0.0-alpha.9", "1.0.0-alpha.10"), Some(Ordering::Less));
        assert_eq!(order("1.0.0-alpha", "1.0.0"), Some(Ordering::Less));
        assert_eq!(order("1.0.0-1", "1.0.0-a"), Some(Ordering::Less));
        assert_eq!(order("1", "1.0.0"), Some(Ordering::Equal));
        assert_eq!(order("01.2", "1.2.0"), Some(Ordering::Equal));
        for bad in ["", "1.2.3.4", "1.2.3-01", "a", "1.2.3-", "1.2.3+", "1.-2"] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
        assert!(satisfies(">>1", "1").is_err());
        assert!(satisfies("1.2.3<2", "1").is_err());
        assert!(satisfies("", "1").is_err());
    }
}
