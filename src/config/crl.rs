//! The `crl` block of ca.json (CONTRACT.md section 10).

use crate::config::Error;
use crate::config::reader::Object;
use crate::duration::GoDuration;

/// How long a CRL may be used where ca.json does not say.
const CACHE_DURATION: GoDuration = GoDuration::from_seconds(24 * 3600);

/// Certificate revocation lists, switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlOptions {
    /// Whether every revocation makes a new list at once.
    pub generate_on_revoke: bool,
    /// From thisUpdate to nextUpdate; more than zero.
    pub cache_duration: GoDuration,
    /// How often a new list is issued; more than zero, and no more than `cache_duration`.
    pub renew_period: GoDuration,
    /// The URI of the issuing distribution point.
    pub idp_url: String,
}

/// Reads the `crl` member; `None` unless it is enabled. `dns_names` gives the distribution point where none is set.
pub(crate) fn read(ca_json: &Object<'_>, dns_names: &[String]) -> Result<Option<CrlOptions>, Error> {
    let Some(crl) = ca_json.object("crl")? else { return Ok(None) };
    let length = |field: &str| -> Result<Option<GoDuration>, Error> {
        match crl.duration(field)? {
            Some(duration) if duration < GoDuration::ZERO => {
                Err(Error::Invalid(format!("crl.{field} must be greater than or equal to 0")))
            }
            // Nothing lasts no time: zero is what Go has for absent.
            other => Ok(other.filter(|duration| *duration != GoDuration::ZERO)),
        }
    };
    let cache_duration = length("cacheDuration")?.unwrap_or(CACHE_DURATION);
    let renew_period = length("renewPeriod")?;
    if renew_period.is_some_and(|period| period > cache_duration) {
        return Err(Error::Invalid(
            "crl.cacheDuration must be greater than or equal to crl.renewPeriod".to_owned(),
        ));
    }
    let generate_on_revoke = crl.bool("generateOnRevoke")?.unwrap_or(false);
    let idp_url = crl.text("idpURL")?;
    if !idp_url.is_ascii() {
        let reason = format!("{idp_url:?} holds characters outside ASCII");
        return Err(Error::Value { place: crl.place("idpURL"), reason });
    }
    if !crl.bool("enabled")?.unwrap_or(false) {
        return Ok(None);
    }
    Ok(Some(CrlOptions {
        generate_on_revoke,
        cache_duration,
        renew_period: renew_period.unwrap_or(two_thirds(cache_duration)),
        idp_url: if idp_url.is_empty() { default_url(dns_names) } else { idp_url },
    }))
}

fn two_thirds(duration: GoDuration) -> GoDuration {
    GoDuration::from_nanoseconds((duration.nanoseconds() / 3 * 2).max(1))
}

fn default_url(dns_names: &[String]) -> String {
    let host = dns_names.first().map_or("localhost", String::as_str);
    format!("https://{host}/1.0/crl")
}
