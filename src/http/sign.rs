//! `POST /sign`.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use zeroize::Zeroizing;

use crate::authority::Error;
use crate::authority::RequestError;
use crate::http::App;
use crate::http::body;
use crate::http::issued;
use crate::http::problem;
use crate::http::request_id::RequestId;
use crate::wire::SignRequest;

pub(super) async fn sign(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    body: Body,
) -> Response {
    let bytes = match body::read(body).await {
        Ok(bytes) => bytes,
        Err(answer) => return *answer,
    };
    match SignRequest::decode(&bytes) {
        Ok(request) => {
            let ott = request.ott.clone().map(Zeroizing::new);
            match app.authority.sign(request, request_id.as_str()).await {
                Err(error) => {
                    let named = ott.as_deref().and_then(|ott| app.authority.named_provisioner(ott));
                    problem::token_refusal(&app, named, &error)
                }
                answered => issued(&app, answered),
            }
        }
        Err(error) => {
            problem::audited_refusal(&app, &request_id, &Error::Request(RequestError::Json(error))).await
        }
    }
}
