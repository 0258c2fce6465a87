//! `stepless revoke`: by a provisioner's key, or by the certificate's own.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::renew::Own;
use crate::cli::target::Credentials;
use crate::cli::target::Target;
use crate::wire::RevokeRequest;
use crate::x509::serial::SerialNumber;
use crate::x509::words::REVOCATION_REASONS;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The serial number: decimal, or hexadecimal with 0x
    #[arg(conflicts_with_all = ["cert", "cert_key"], required_unless_present = "cert")]
    serial: Option<String>,
    /// The file of the certificate, which then revokes itself
    #[arg(long, value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// The file of its private key
    #[arg(long = "key", value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// The provisioner in whose name a serial number is revoked
    #[arg(long, value_name = "NAME", conflicts_with = "cert")]
    provisioner: Option<String>,
    /// A file with the provisioner's private key, a JWK or an encrypted one; without it the authority is asked
    #[arg(long, value_name = "FILE", requires = "provisioner")]
    provisioner_key: Option<PathBuf>,
    /// A file with the password of the key that is used
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Why, as text for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Why: a number from 0 to 10, or a word of RFC 5280 such as keyCompromise
    #[arg(long, value_name = "CODE", default_value = "unspecified", value_parser = reason_code)]
    reason_code: i64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = |serial: &SerialNumber, ott: Option<String>| RevokeRequest {
        serial: Some(serial.to_string()),
        ott,
        reason_code: args.reason_code,
        reason: args.reason.clone(),
        passive: true,
    };
    let serial = match (&args.serial, &args.provisioner, &args.cert, &args.cert_key) {
        (Some(text), Some(provisioner), _, _) => {
            let credentials = Credentials::new(provisioner, &args.provisioner_key, &args.password_file);
            let serial = SerialNumber::parse(text)
                .map_err(|error| Failure::usage(error.to_string(), "write it as 1234 or as 0x4d2"))?;
            super::block_on(async {
                let token = credentials.revoke_token(&args.target, &serial.to_string()).await?;
                let client = args.target.open()?.client;
                client.revoke(&request(&serial, Some(token.to_string()))).await.map_err(Failure::from)
            })??;
            serial
        }
        (_, _, Some(crt), Some(key)) => {
            let own = Own { crt: crt.clone(), key: key.clone(), password_file: args.password_file.clone() };
            let (identity, certificate, _) = own.read()?;
            let serial = certificate.serial_number().clone();
            super::block_on(async {
                let client = args.target.open_as(Some(&identity))?.client;
                client.revoke(&request(&serial, None)).await.map_err(Failure::from)
            })??;
            serial
        }
        _ => {
            return Err(Failure::usage(
                "a serial number is revoked in the name of a provisioner",
                "give --provisioner NAME, or the certificate itself with --cert and --key",
            ));
        }
    };
    super::print(&format!("revoked {serial}\n"));
    Ok(())
}

/// Reads a number or a word.
fn reason_code(text: &str) -> Result<i64, String> {
    let by_name =
        REVOCATION_REASONS.iter().position(|name| !name.is_empty() && name.eq_ignore_ascii_case(text));
    let number = by_name.or_else(|| text.parse().ok().filter(|number| *number < REVOCATION_REASONS.len()));
    let number = number.and_then(|number| i64::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is neither a number from 0 to 10 nor a reason of RFC 5280"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words_or_numbers() {
        assert_eq!(reason_code("keyCompromise"), Ok(1));
        assert_eq!(reason_code("AACOMPROMISE"), Ok(10));
        assert_eq!(reason_code("7"), Ok(7));
        for bad in ["", "11", "-1", "nope"] {
            assert!(reason_code(bad).is_err(), "{bad}");
        }
    }
}
