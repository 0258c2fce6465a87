//! `POST /renew`, also under its old name `/re-sign`, and `POST /rekey`.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::Response;

use crate::authority::ClientCertificate;
use crate::authority::Error;
use crate::authority::RenewError;
use crate::authority::RequestError;
use crate::http::App;
use crate::http::body;
use crate::http::issued;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::request_id::RequestId;
use crate::http::server::RemoteAddress;
use crate::wire::RekeyRequest;

/// Renews by the client certificate, else by a renew token. A body is not read.
pub(super) async fn renew(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    remote: Option<Extension<RemoteAddress>>,
    client: Option<Extension<ClientCertificate>>,
    headers: HeaderMap,
) -> Result<Response, Early> {
    app.admit(remote)?;
    let _turn = app.turn().await?;
    let result = match (&client, bearer(&headers)) {
        (Some(Extension(client)), _) => app.authority.renew(client, request_id.as_str()).await,
        (None, Some(token)) => app.authority.renew_with_token(&token, request_id.as_str()).await,
        (None, None) => {
            return Ok(problem::audited_refusal(&app, &request_id, &RenewError::NoCredential.into()).await);
        }
    };
    Ok(issued(&app, result))
}

/// Renews the client certificate for another key. A renew token is not looked at.
pub(super) async fn rekey(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    remote: Option<Extension<RemoteAddress>>,
    client: Option<Extension<ClientCertificate>>,
    body: Body,
) -> Result<Response, Early> {
    app.admit(remote)?;
    let Some(Extension(client)) = client else {
        let _turn = app.turn().await?;
        return Ok(problem::audited_refusal(&app, &request_id, &RenewError::NoCredential.into()).await);
    };
    let body = body::read(&app, body).await?;
    let _turn = app.turn().await?;
    Ok(match RekeyRequest::decode(&body) {
        Ok(request) => issued(&app, app.authority.rekey(&client, request, request_id.as_str()).await),
        Err(error) => {
            problem::audited_refusal(&app, &request_id, &Error::Request(RequestError::Json(error))).await
        }
    })
}

/// What follows the first `Bearer ` in `Authorization`, whatever stands before it (CONTRACT.md section 8).
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    // White space at the end is no part of a header's value.
    let value = String::from_utf8_lossy(value.trim_ascii());
    value.split_once("Bearer ").map(|(_, token)| token.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(value: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        assert_eq!(bearer(&headers).as_deref(), expected, "{value:?}");
    }

    #[test]
    fn tokens_stand_behind_bearer() {
        check("Bearer a.b.c", Some("a.b.c"));
        check("x Bearer a", Some("a"));
        check("Bearer Bearer a", Some("Bearer a"));
        check("Bearer ", None);
        check("bearer a", None);
        check("Basic a", None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
