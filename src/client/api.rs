//! The routes of the HTTP contract, one method each.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::Error;
use crate::client::Identity;
use crate::client::connection::Answer;
use crate::client::connection::Call;
use crate::client::connection::Connector;
use crate::wire::CertificatesResponse;
use crate::wire::EncryptedKeyResponse;
use crate::wire::ErrorBody;
use crate::wire::HealthResponse;
use crate::wire::ProvisionersResponse;
use crate::wire::RekeyRequest;
use crate::wire::RevokeRequest;
use crate::wire::RevokeResponse;
use crate::wire::SignRequest;
use crate::wire::SignResponse;

/// The routes of one authority, each answer as it came.
/// # Examples
///
/// ```no_run
/// # async fn health(root_pem: &str) -> Result<(), stepless::client::Error> {
/// let api = stepless::client::Api::new("https://ca.example:9000", root_pem)?;
/// assert_eq!(api.health().await?.status, "ok");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Api {
    connector: Connector,
}

impl Api {
    /// A client of the authority at `url`, which has to show a chain to `root_pem` and nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] or [`Error::Root`].
    pub fn new(url: &str, root_pem: &str) -> Result<Self, Error> {
        Ok(Self { connector: Connector::new(url, root_pem, None)? })
    }

    /// The same, showing a certificate of its own: what [`renew`](Self::renew) and [`rekey`](Self::rekey) need.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] or [`Error::Root`].
    pub fn with_identity(url: &str, root_pem: &str, identity: &Identity) -> Result<Self, Error> {
        Ok(Self { connector: Connector::new(url, root_pem, Some(identity.resolver()))? })
    }

    /// The same, giving up a call after `patience` and not after 30 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.connector.patience = patience;
        self
    }

    /// The audience of a token for a route such as `/1.0/sign`.
    #[must_use]
    pub fn audience(&self, route: &str) -> String {
        format!("{}{route}", self.connector.base_url())
    }

    /// `GET /health`.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn health(&self) -> Result<HealthResponse, Error> {
        self.call("GET", "/health", None).await
    }

    /// All provisioners, as the authority lists them.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn provisioners(&self) -> Result<Vec<serde_json::Value>, Error> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        // An authority whose cursor does not move on would keep us here for ever.
        for _ in 0..1000 {
            let path = format!("/1.0/provisioners?limit=100&cursor={cursor}");
            let page: ProvisionersResponse = self.call("GET", &path, None).await?;
            all.extend(page.provisioners.unwrap_or_default());
            if page.next_cursor.is_empty() || page.next_cursor == cursor {
                break;
            }
            cursor = page.next_cursor;
        }
        Ok(all)
    }

    /// The encrypted key of a provisioner, a compact JWE.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn encrypted_key(&self, kid: &str) -> Result<String, Error> {
        let path = format!("/1.0/provisioners/{kid}/encrypted-key");
        Ok(self.call::<EncryptedKeyResponse>("GET", &path, None).await?.key)
    }

    /// `POST /1.0/sign`. The answer is as it came: check it with [`Expected`](crate::client::Expected).
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn sign(&self, request: &SignRequest) -> Result<SignResponse, Error> {
        self.call("POST", "/1.0/sign", Some(request.encode())).await
    }

    /// `POST /1.0/renew` for the client's own certificate. The answer is as it came.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn renew(&self) -> Result<SignResponse, Error> {
        self.call("POST", "/1.0/renew", None).await
    }

    /// `POST /1.0/renew` with a token from [`Identity::renew_token`]. The answer is as it came.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn renew_with_token(&self, token: &str) -> Result<SignResponse, Error> {
        let authorization = Some(format!("Bearer {token}"));
        self.send(&Call { method: "POST", path: "/1.0/renew", body: None, authorization }).await
    }

    /// `POST /1.0/rekey` for the client's own certificate. The answer is as it came.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn rekey(&self, request: &RekeyRequest) -> Result<SignResponse, Error> {
        self.call("POST", "/1.0/rekey", Some(request.encode())).await
    }

    /// `POST /1.0/revoke`.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeResponse, Error> {
        self.call("POST", "/1.0/revoke", Some(request.encode())).await
    }

    /// The roots of the authority as PEM, in its order.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn roots(&self) -> Result<Vec<String>, Error> {
        Ok(self.call::<CertificatesResponse>("GET", "/1.0/roots", None).await?.crts)
    }

    /// The intermediates of the authority as PEM, the issuing one first.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn intermediates(&self) -> Result<Vec<String>, Error> {
        Ok(self.call::<CertificatesResponse>("GET", "/1.0/intermediates", None).await?.crts)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Error> {
        self.send(&Call { method, path, body, authorization: None }).await
    }

    async fn send<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Error> {
        let answer = self.connector.call(call).await?;
        if !(200..300).contains(&answer.status) {
            let message = serde_json::from_slice::<ErrorBody>(&answer.body).map_or_else(
                |_| String::from_utf8_lossy(&answer.body).trim().chars().take(300).collect(),
                |problem| problem.message,
            );
            let Answer { status, code, retry_after, .. } = answer;
            return Err(Error::Refused { status, message, code, retry_after });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Answer { path: call.path.to_owned(), reason: error.to_string() })
    }
}
