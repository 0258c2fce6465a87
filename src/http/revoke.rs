//! `POST /revoke`.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use zeroize::Zeroizing;

use crate::authority::RevokeError;
use crate::http::access_log::Detail;
use crate::http::body;
use crate::http::json;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::routes::Asked;
use crate::wire::RevokeRequest;
use crate::wire::RevokeResponse;

pub(super) async fn revoke(asked: Asked<'_>, body: Body) -> Result<Response, Early> {
    let app = asked.app;
    app.admit(asked.remote())?;
    let body = body::read(app, body).await?;
    let _turn = app.turn().await?;
    let request = match RevokeRequest::decode(&body) {
        Ok(request) => request,
        Err(error) => {
            return Ok(problem::audited_refusal(asked, &RevokeError::Json(error).into()).await);
        }
    };
    let ott = request.ott.clone().map(Zeroizing::new);
    Ok(match app.authority.revoke(request, asked.client(), asked.id.as_str()).await {
        Ok(revoked) => {
            let mut response = json(StatusCode::OK, &RevokeResponse { status: "ok".to_owned() });
            response.extensions_mut().insert(Detail::Revoked(revoked));
            response
        }
        Err(error) => {
            let named = ott.as_deref().and_then(|ott| app.authority.named_provisioner(ott));
            problem::token_refusal(app, named, &error)
        }
    })
}
