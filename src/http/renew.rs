//! `POST /renew`, also under its old name `/re-sign`, and `POST /rekey`.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::Response;

use crate::authority::Error;
use crate::authority::RenewError;
use crate::authority::RequestError;
use crate::http::body;
use crate::http::issued;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::routes::Asked;
use crate::wire::RekeyRequest;

/// Renews by the client certificate, else by a renew token. A body is not read.
pub(super) async fn renew(asked: Asked<'_>) -> Result<Response, Early> {
    let app = asked.app;
    app.admit(asked.remote())?;
    let _turn = app.turn().await?;
    let result = match (asked.client(), bearer(&asked.head.headers)) {
        (Some(client), _) => app.authority.renew(client, asked.id.as_str()).await,
        (None, Some(token)) => app.authority.renew_with_token(&token, asked.id.as_str()).await,
        (None, None) => {
            return Ok(problem::audited_refusal(asked, &RenewError::NoCredential.into()).await);
        }
    };
    Ok(issued(app, result))
}

/// Renews the client certificate for another key. A renew token is not looked at.
pub(super) async fn rekey(asked: Asked<'_>, body: Body) -> Result<Response, Early> {
    let app = asked.app;
    app.admit(asked.remote())?;
    let Some(client) = asked.client() else {
        let _turn = app.turn().await?;
        return Ok(problem::audited_refusal(asked, &RenewError::NoCredential.into()).await);
    };
    let body = body::read(app, body).await?;
    let _turn = app.turn().await?;
    Ok(match RekeyRequest::decode(&body) {
        Ok(request) => issued(app, app.authority.rekey(client, request, asked.id.as_str()).await),
        Err(error) => problem::audited_refusal(asked, &Error::Request(RequestError::Json(error))).await,
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
