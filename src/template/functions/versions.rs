//! Semantic versions.

use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::go::semver;
use crate::template::go::semver::Version;
use crate::template::object::Object;
use crate::template::value::Integer;
use crate::template::value::IntegerKind;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Kind::String], |_, arguments| {
        let [text] = arguments else {
            return Err(Failure::arguments());
        };
        let text = String::from_utf8_lossy(bytes(text)?);
        Ok(object(&Version::parse(&text)?, &text))
    }),
    Function::new("semverCompare", &[Kind::String, Kind::String], |_, arguments| {
        let [constraint, version] = arguments else {
            return Err(Failure::arguments());
        };
        let constraint = String::from_utf8_lossy(bytes(constraint)?);
        let version = String::from_utf8_lossy(bytes(version)?);
        Ok(semver::satisfies(&constraint, &version)?.into())
    }),
];

fn object(version: &Version, original: &str) -> Value {
    let number = |number: u64| Value::Int(Integer { kind: IntegerKind::Uint64, bits: number.cast_signed() });
    Object::structure("semver.Version")
        .pointer()
        .with_text(version.to_string())
        .with_json(version.to_string().into())
        .with_constant("Major", number(version.major))
        .with_constant("Minor", number(version.minor))
        .with_constant("Patch", number(version.patch))
        .with_constant("Prerelease", version.prerelease.as_str().into())
        .with_constant("Metadata", version.metadata.as_str().into())
        .with_constant("Original", original.into())
        .into_value()
}
