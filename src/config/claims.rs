//! The `claims` of ca.json: how long certificates may live, and what may be done with them.
//!
//! A provisioner's claims go over the authority's, these over the built-in ones. CONTRACT.md section 7.

use serde::Serialize;
use thiserror::Error;

use crate::config::Error as ConfigError;
use crate::config::reader::Object;
use crate::duration::GoDuration;

/// Claims as written; every member may be absent.
///
/// It serialises as step-ca lists it, durations in Go's own form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The shortest life of a certificate.
    #[serde(rename = "minTLSCertDuration", skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub min_tls_cert_duration: Option<GoDuration>,
    /// The longest life of a certificate.
    #[serde(rename = "maxTLSCertDuration", skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub max_tls_cert_duration: Option<GoDuration>,
    /// The life of a certificate whose request names none.
    #[serde(
        rename = "defaultTLSCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub default_tls_cert_duration: Option<GoDuration>,
    /// Members about SSH: listed again, without effect here.
    #[serde(flatten)]
    pub ssh: SshClaims,
    /// Whether renewal is forbidden.
    #[serde(rename = "disableRenewal", skip_serializing_if = "Option::is_none")]
    pub disable_renewal: Option<bool>,
    /// Whether an expired certificate may be renewed.
    #[serde(rename = "allowRenewalAfterExpiry", skip_serializing_if = "Option::is_none")]
    pub allow_renewal_after_expiry: Option<bool>,
    /// Whether the provisioner extension is left out.
    #[serde(rename = "disableSmallstepExtensions", skip_serializing_if = "Option::is_none")]
    pub disable_smallstep_extensions: Option<bool>,
}

/// Claims about SSH certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "step-ca's names, repeated in lists and used for nothing")]
pub struct SshClaims {
    #[serde(
        rename = "minUserSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub min_user: Option<GoDuration>,
    #[serde(
        rename = "maxUserSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub max_user: Option<GoDuration>,
    #[serde(
        rename = "defaultUserSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub default_user: Option<GoDuration>,
    #[serde(
        rename = "minHostSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub min_host: Option<GoDuration>,
    #[serde(
        rename = "maxHostSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub max_host: Option<GoDuration>,
    #[serde(
        rename = "defaultHostSSHCertDuration",
        skip_serializing_if = "Option::is_none",
        serialize_with = "text"
    )]
    pub default_host: Option<GoDuration>,
    #[serde(rename = "enableSSHCA", skip_serializing_if = "Option::is_none")]
    pub enable_ca: Option<bool>,
}

fn text<S: serde::Serializer>(duration: &Option<GoDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&duration.unwrap_or_default())
}

/// Claims with every member settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveClaims {
    /// The shortest life of a certificate.
    pub min: GoDuration,
    /// The longest life of a certificate, without the backdate.
    pub max: GoDuration,
    /// The life of a certificate whose request names none.
    pub default: GoDuration,
    /// Whether renewal is forbidden.
    pub disable_renewal: bool,
    /// Whether an expired certificate may be renewed.
    pub allow_renewal_after_expiry: bool,
    /// Whether the provisioner extension is left out.
    pub disable_smallstep_extensions: bool,
}

impl EffectiveClaims {
    /// What holds where ca.json says nothing.
    pub const BUILT_IN: Self = Self {
        min: GoDuration::from_seconds(5 * 60),
        max: GoDuration::from_seconds(24 * 3600),
        default: GoDuration::from_seconds(24 * 3600),
        disable_renewal: false,
        allow_renewal_after_expiry: false,
        disable_smallstep_extensions: false,
    };
}

/// Claims that contradict each other, in step-ca's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// A length that is zero or less.
    #[error("claims: {0} must be greater than 0")]
    NotPositive(&'static str),
    /// One length is less than another that it must reach.
    #[error(
        "claims: {lesser} cannot be less than {greater}: {lesser} - {lesser_value}, {greater} - {greater_value}"
    )]
    Order {
        /// The name of the one that is too short.
        lesser: &'static str,
        /// Its value.
        lesser_value: GoDuration,
        /// The name of the one it must reach.
        greater: &'static str,
        /// Its value.
        greater_value: GoDuration,
    },
}

impl Claims {
    /// Reads the `claims` member of `parent`; `None` where there is none.
    pub(crate) fn read(parent: &Object<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(object) = parent.object("claims")? else { return Ok(None) };
        Ok(Some(Self {
            min_tls_cert_duration: object.duration("minTLSCertDuration")?,
            max_tls_cert_duration: object.duration("maxTLSCertDuration")?,
            default_tls_cert_duration: object.duration("defaultTLSCertDuration")?,
            ssh: SshClaims {
                min_user: object.duration("minUserSSHCertDuration")?,
                max_user: object.duration("maxUserSSHCertDuration")?,
                default_user: object.duration("defaultUserSSHCertDuration")?,
                min_host: object.duration("minHostSSHCertDuration")?,
                max_host: object.duration("maxHostSSHCertDuration")?,
                default_host: object.duration("defaultHostSSHCertDuration")?,
                enable_ca: object.bool("enableSSHCA")?,
            },
            disable_renewal: object.bool("disableRenewal")?,
            allow_renewal_after_expiry: object.bool("allowRenewalAfterExpiry")?,
            disable_smallstep_extensions: object.bool("disableSmallstepExtensions")?,
        }))
    }

    /// Puts these claims over `global` ones. A default alone moves the limit that it would break.
    ///
    /// # Errors
    ///
    /// [`Contradiction`] in step-ca's words.
    pub fn over(&self, global: &EffectiveClaims) -> Result<EffectiveClaims, Contradiction> {
        let default = self.default_tls_cert_duration;
        let min =
            self.min_tls_cert_duration.unwrap_or_else(|| default.map_or(global.min, |d| d.min(global.min)));
        let max =
            self.max_tls_cert_duration.unwrap_or_else(|| default.map_or(global.max, |d| d.max(global.max)));
        let default = default.unwrap_or(global.default);
        for (name, value) in
            [("MinTLSCertDuration", min), ("MaxTLSCertDuration", max), ("DefaultTLSCertDuration", default)]
        {
            if value <= GoDuration::ZERO {
                return Err(Contradiction::NotPositive(name));
            }
        }
        let order = [
            ("MaxCertDuration", max, "MinCertDuration", min),
            ("DefaultCertDuration", default, "MinCertDuration", min),
            ("MaxCertDuration", max, "DefaultCertDuration", default),
        ];
        for (lesser, lesser_value, greater, greater_value) in order {
            if lesser_value < greater_value {
                return Err(Contradiction::Order { lesser, lesser_value, greater, greater_value });
            }
        }
        Ok(EffectiveClaims {
            min,
            max,
            default,
            disable_renewal: self.disable_renewal.unwrap_or(global.disable_renewal),
            allow_renewal_after_expiry: self
                .allow_renewal_after_expiry
                .unwrap_or(global.allow_renewal_after_expiry),
            disable_smallstep_extensions: self
                .disable_smallstep_extensions
                .unwrap_or(global.disable_smallstep_extensions),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(min: &str, max: &str, default: &str, expected: Result<(&str, &str, &str), &str>) {
        let duration = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let claims = Claims {
            min_tls_cert_duration: duration(min),
            max_tls_cert_duration: duration(max),
            default_tls_cert_duration: duration(default),
            ..Claims::default()
        };
        let got = claims.over(&EffectiveClaims::BUILT_IN);
        let got = got.map(|c| (c.min.to_string(), c.max.to_string(), c.default.to_string()));
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(got.map_err(|e| e.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_default_alone_moves_the_limits() {
        check("", "", "", Ok(("5m0s", "24h0m0s", "24h0m0s")));
        check("", "", "48h", Ok(("5m0s", "48h0m0s", "48h0m0s")));
        check("", "", "1m", Ok(("1m0s", "24h0m0s", "1m0s")));
        check("10m", "2h", "1h", Ok(("10m0s", "2h0m0s", "1h0m0s")));
    }

    #[test]
    fn contradictions_are_named() {
        check(
            "2h",
            "1h",
            "",
            Err("claims: MaxCertDuration cannot be less than MinCertDuration: MaxCertDuration - 1h0m0s, \
                 MinCertDuration - 2h0m0s"),
        );
        check(
            "",
            "1h",
            "",
            Err("claims: MaxCertDuration cannot be less than DefaultCertDuration: \
            MaxCertDuration - 1h0m0s, DefaultCertDuration - 24h0m0s"),
        );
        check("0", "", "", Err("claims: MinTLSCertDuration must be greater than 0"));
    }

    #[test]
    fn listed_as_go_prints_it() {
        let claims = Claims {
            max_tls_cert_duration: Some("25h".parse().unwrap()),
            disable_renewal: Some(false),
            ..Claims::default()
        };
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(text, r#"{"maxTLSCertDuration":"25h0m0s","disableRenewal":false}"#);
    }
}
