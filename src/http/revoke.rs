//! `POST /revoke`.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use zeroize::Zeroizing;

use crate::authority::ClientCertificate;
use crate::authority::RevokeError;
use crate::http::App;
use crate::http::access_log::Detail;
use crate::http::body;
use crate::http::json;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::request_id::RequestId;
use crate::http::server::RemoteAddress;
use crate::wire::RevokeRequest;
use crate::wire::RevokeResponse;

pub(super) async fn revoke(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    remote: Option<Extension<RemoteAddress>>,
    client: Option<Extension<ClientCertificate>>,
    body: Body,
) -> Result<Response, Early> {
    app.admit(remote)?;
    let body = body::read(&app, body).await?;
    let _turn = app.turn().await?;
    let request = match RevokeRequest::decode(&body) {
        Ok(request) => request,
        Err(error) => {
            return Ok(problem::audited_refusal(&app, &request_id, &RevokeError::Json(error).into()).await);
        }
    };
    let ott = request.ott.clone().map(Zeroizing::new);
    let client = client.as_ref().map(|Extension(client)| client);
    Ok(match app.authority.revoke(request, client, request_id.as_str()).await {
        Ok(revoked) => {
            let mut response = json(StatusCode::OK, &RevokeResponse { status: "ok".to_owned() });
            response.extensions_mut().insert(Detail::Revoked(revoked));
            response
        }
        Err(error) => {
            let named = ott.as_deref().and_then(|ott| app.authority.named_provisioner(ott));
            problem::token_refusal(&app, named, &error)
        }
    })
}
