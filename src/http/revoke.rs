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
use crate::http::request_id::RequestId;
use crate::wire::RevokeRequest;
use crate::wire::RevokeResponse;

pub(super) async fn revoke(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    client: Option<Extension<ClientCertificate>>,
    body: Body,
) -> Response {
    let bytes = match body::read(body).await {
        Ok(bytes) => bytes,
        Err(answer) => return *answer,
    };
    let request = match RevokeRequest::decode(&bytes) {
        Ok(request) => request,
        Err(error) => {
            return problem::audited_refusal(&app, &request_id, &RevokeError::Json(error).into()).await;
        }
    };
    let ott = request.ott.clone().map(Zeroizing::new);
    let client = client.as_ref().map(|Extension(client)| client);
    match app.authority.revoke(request, client, request_id.as_str()).await {
        Ok(revoked) => {
            let mut response = json(StatusCode::OK, &RevokeResponse { status: "ok".to_owned() });
            response.extensions_mut().insert(Detail::Revoked(revoked));
            response
        }
        Err(error) => {
            let named = ott.as_deref().and_then(|ott| app.authority.named_provisioner(ott));
            problem::token_refusal(&app, named, &error)
        }
    }
}
