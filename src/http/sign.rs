//! `POST /sign`.

use axum::body::Body;
use axum::response::Response;
use zeroize::Zeroizing;

use crate::authority::Error;
use crate::authority::RequestError;
use crate::http::body;
use crate::http::issued;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::routes::Asked;
use crate::wire::SignRequest;

pub(super) async fn sign(asked: Asked<'_>, body: Body) -> Result<Response, Early> {
    let app = asked.app;
    app.admit(asked.remote())?;
    let body = body::read(app, body).await?;
    let _turn = app.turn().await?;
    let request = match SignRequest::decode(&body) {
        Ok(request) => request,
        Err(error) => {
            let error = Error::Request(RequestError::Json(error));
            return Ok(problem::audited_refusal(asked, &error).await);
        }
    };
    let ott = request.ott.clone().map(Zeroizing::new);
    let admit = |name: &str| app.edge.admit_provisioner(name, app.authority.clock());
    Ok(match app.authority.sign_if(request, asked.id.as_str(), &admit).await {
        Err(error) => {
            let named = ott.as_deref().and_then(|ott| app.authority.named_provisioner(ott));
            problem::token_refusal(app, named, &error)
        }
        answered => issued(app, answered),
    })
}
