//! The one place where an error becomes a status and step-ca's exact sentence.
//!
//! The client sees the contract, the log sees the cause. CONTRACT.md section 1, "Error bodies".

use std::time::Duration;

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::authority::CrlError;
use crate::authority::Error;
use crate::authority::RenewError;
use crate::authority::RequestError;
use crate::authority::RevokeError;
use crate::authority::ValidityError;
use crate::http::App;
use crate::http::access_log::Detail;
use crate::http::access_log::NamedProvisioner;
use crate::http::json;
use crate::http::routes::Asked;
use crate::profile;
use crate::provisioner::DraftError;
use crate::provisioner::LimitError;
use crate::token;
use crate::wire::AdminErrorBody;
use crate::wire::ErrorBody;

/// Carries the refusal's code to developers; see `RouterOptions::reveal_refusals`.
const REFUSAL_HEADER: HeaderName = HeaderName::from_static("x-stepless-refusal");

const SEE_LOGS: &str = "Please see the certificate authority logs for more info.";

/// An answer before the end of a handler.
#[derive(Debug)]
pub(super) struct Early(Box<Response>);

impl From<Response> for Early {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Early {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The answer to a request that is not granted.
pub(super) fn refusal(app: &App, error: &Error) -> Response {
    let (status, message) = sentence(error);
    let mut response = match error {
        Error::Throttled { wait, .. } => turned_away(status, &message, error.code(), *wait),
        Error::RenewToken(token::Error::Issuer(_)) => admin_problem(status, message, error.code(), error),
        _ => problem(status, message, error.code(), error),
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    reveal(app, &mut response, error.code());
    response
}

/// The same for a request that the authority has not seen: the audit log has to be told.
pub(super) async fn audited_refusal(asked: Asked<'_>, error: &Error) -> Response {
    asked.app.authority.audit_refusal(error, asked.id.as_str()).await;
    refusal(asked.app, error)
}

fn reveal(app: &App, response: &mut Response, code: &'static str) {
    if app.options.reveal_refusals {
        response.headers_mut().insert(REFUSAL_HEADER, HeaderValue::from_static(code));
    }
}

/// The same for a request with this token: the provisioner that it names is kept for operators.
pub(super) fn token_refusal(app: &App, named: Option<String>, error: &Error) -> Response {
    let mut response = refusal(app, error);
    if let Some(named) = named {
        response.extensions_mut().insert(NamedProvisioner(named));
    }
    response
}

fn sentence(error: &Error) -> (StatusCode, String) {
    match error {
        Error::Request(error) => bad_request(match error {
            RequestError::MissingCsr => "missing csr",
            RequestError::InvalidCsr(_) => "invalid csr",
            RequestError::MissingOtt => "missing ott",
            _ => "error decoding json",
        }),
        Error::ProvisionerDisabled { name, .. } => (
            StatusCode::UNAUTHORIZED,
            format!("provisioner \"{name}\" is disabled due to an initialization error"),
        ),
        Error::Token(_) | Error::UnknownProvisioner | Error::Replayed => unauthorized(),
        Error::RenewToken(error) => (StatusCode::UNAUTHORIZED, renew_token_sentence(error)),
        Error::Renew(error) => match error {
            RenewError::NoCredential => bad_request(&error.to_string()),
            RenewError::Expired(_) => (
                StatusCode::UNAUTHORIZED,
                format!("The request lacked necessary authorization to be completed: {error}"),
            ),
            RenewError::Key(_) => forbidden(error),
            _ => unauthorized(),
        },
        Error::Revoke(error) => match error {
            RevokeError::Json(_) => bad_request("error decoding json"),
            // The number that was out of bounds is not repeated.
            RevokeError::ReasonCode(_) => bad_request("reasonCode out of bounds"),
            RevokeError::Subject { .. } | RevokeError::NotOwn { .. } => forbidden(error),
            RevokeError::NotPassive | RevokeError::NoDatabase => (
                StatusCode::NOT_IMPLEMENTED,
                format!("The requested method is not implemented by the certificate authority. {SEE_LOGS}"),
            ),
            _ => bad_request(&error.to_string()),
        },
        Error::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY.to_owned()),
        Error::Crl(CrlError::Off) => (
            StatusCode::NOT_FOUND,
            format!("The certificate authority received an unexpected HTTP status code - '404'. {SEE_LOGS}"),
        ),
        Error::Csr(error) => forbidden(error),
        Error::DrawUp(error) => draw_up(error),
        Error::Grant(error) => forbidden(error),
        Error::Validity(
            error @ (ValidityError::TooShort { .. }
            | ValidityError::TooLong { .. }
            | ValidityError::BeforeCredential { .. }
            | ValidityError::AfterCredential { .. }),
        ) => forbidden(error),
        Error::Validity(error) => bad_request(&error.to_string()),
        Error::NameConstraints(error) => (StatusCode::FORBIDDEN, error.to_string()),
        // step-ca leaves out the final dot here.
        Error::Policy(error) => (
            StatusCode::FORBIDDEN,
            format!("The request was forbidden by the certificate authority: {error}"),
        ),
        Error::Draft(error) => draft(error),
        Error::Store(error) if error.is_temporary() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The certificate authority cannot reach its database. Please try again later.".to_owned(),
        ),
        _ => internal(),
    }
}

fn draw_up(error: &DraftError) -> (StatusCode, String) {
    match error {
        DraftError::Claim(error) => forbidden(error),
        DraftError::TemplateFailed(_) => bad_request(&error.to_string()),
        DraftError::RenderRefused(error) => forbidden(error),
        DraftError::Document(error) => draft(error),
        DraftError::UserData(error) => bad_request(&error.to_string()),
        _ => internal(),
    }
}

fn draft(error: &profile::Error) -> (StatusCode, String) {
    match error {
        profile::Error::Malformed { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "error applying certificate template".to_owned())
        }
        profile::Error::Refused { .. } => forbidden(error),
        _ => internal(),
    }
}

/// What a renew token's sender hears, without prefix and final dot (CONTRACT.md section 8 and D14).
fn renew_token_sentence(error: &token::Error) -> String {
    let reason = match error {
        token::Error::Issuer(_) => ": invalid issuer claim (iss)",
        token::Error::Subject(_) => ": invalid subject claim (sub)",
        token::Error::Audience(_) => ": invalid audience claim (aud)",
        token::Error::Expired(_) => ": token is expired (exp)",
        token::Error::NotYetValid(_) => ": token not valid yet (nbf)",
        token::Error::IssuedInFuture(_) => ": token issued in the future (iat)",
        _ => "",
    };
    format!("error validating renew token{reason}")
}

fn unauthorized() -> (StatusCode, String) {
    (
        StatusCode::UNAUTHORIZED,
        format!("The request lacked necessary authorization to be completed. {SEE_LOGS}"),
    )
}

fn bad_request(reason: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("The request could not be completed: {reason}."))
}

fn forbidden(reason: &dyn std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::FORBIDDEN, format!("The request was forbidden by the certificate authority: {reason}."))
}

fn internal() -> (StatusCode, String) {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("The certificate authority encountered an Internal Server Error. {SEE_LOGS}"),
    )
}

/// A refusal with its body, and its code and cause for the log.
fn problem(
    status: StatusCode,
    message: String,
    code: &'static str,
    cause: &dyn std::fmt::Display,
) -> Response {
    let mut response = json(status, &ErrorBody { status: status.as_u16(), message });
    response.extensions_mut().insert(Detail::Refused { code, cause: cause.to_string() });
    response
}

/// A refusal in the form of step-ca's admin interface, which one check of renew tokens borrows.
fn admin_problem(
    status: StatusCode,
    message: String,
    code: &'static str,
    cause: &dyn std::fmt::Display,
) -> Response {
    let (kind, detail) = ("unauthorized".to_owned(), "unauthorized".to_owned());
    let mut response = json(status, &AdminErrorBody { kind, detail, message });
    response.extensions_mut().insert(Detail::Refused { code, cause: cause.to_string() });
    response
}

pub(super) fn unknown_root(fingerprint: &str) -> Response {
    let message = format!("root certificate with fingerprint {} was not found", go_quoted(fingerprint));
    problem(StatusCode::NOT_FOUND, message, "root.unknown", &"no such root")
}

pub(super) fn invalid_limit(error: &LimitError) -> Response {
    let (status, message) = bad_request(&error.to_string());
    problem(status, message, "request.invalid_limit", error)
}

pub(super) fn no_encrypted_key(kid: &str) -> Response {
    let message = format!("The requested resource could not be found. {SEE_LOGS}");
    problem(StatusCode::NOT_FOUND, message, "provisioner.no_encrypted_key", &format!("kid {kid:?}"))
}

pub(super) fn body_too_large() -> Response {
    let message = "The request could not be completed: the body is larger than 1 MiB.".to_owned();
    problem(StatusCode::PAYLOAD_TOO_LARGE, message, "request.too_large", &"body larger than 1 MiB")
}

/// The client went away or stalled in the middle of its body; nobody may be left to hear this.
pub(super) fn body_cut() -> Response {
    let (status, message) = bad_request("error reading request body");
    let mut response = problem(status, message, "request.cut", &"the body did not arrive whole");
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.into_response()
}

/// The code of [`overloaded`].
pub(super) const OVERLOADED: &str = "server.overloaded";

/// Too much is being worked on. A second is what a request waits for its turn at most.
pub(super) fn overloaded() -> Response {
    let message = "The certificate authority is overloaded. Please try again later.";
    turned_away(StatusCode::SERVICE_UNAVAILABLE, message, OVERLOADED, Duration::from_secs(1))
}

/// The same within the routes.
pub(super) fn no_turn(app: &App) -> Response {
    let mut response = overloaded();
    reveal(app, &mut response, OVERLOADED);
    response
}

/// An address has asked too often.
pub(super) fn address_throttled(app: &App, wait: Duration) -> Response {
    let code = "rate.address";
    let mut response = turned_away(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, code, wait);
    reveal(app, &mut response, code);
    response
}

const TOO_MANY: &str = "There were too many requests. Please try again later.";

/// An answer to one of very many requests, that does not tell more of it.
fn turned_away(status: StatusCode, message: &str, code: &'static str, wait: Duration) -> Response {
    let mut response = json(status, &ErrorBody { status: status.as_u16(), message: message.to_owned() });
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response.extensions_mut().insert(Detail::TurnedAway(code));
    response
}

/// A text in quotes with Go's escapes for what is not printable.
fn go_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
