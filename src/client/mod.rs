//! The client side: speaks the HTTP contract, trusts one pinned root, checks what it is given.
//!
//! A certificate that lacks what was asked for is an error, never an answer.

mod answer;
mod connection;
mod csr;
mod identity;

use serde::de::DeserializeOwned;

pub use answer::AnswerError;
pub use answer::Expected;
pub use answer::Received;
pub use csr::CsrError;
pub use csr::create as create_csr;
pub use identity::Identity;
pub use identity::IdentityError;

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

/// A call that did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is not `https://host[:port]`.
    #[error("{0:?} is not an https URL of a certificate authority")]
    Url(String),
    /// The pinned root is no certificate.
    #[error("the root certificate cannot be read: {0}")]
    Root(String),
    /// No connection.
    #[error("cannot connect to {address}: {reason}")]
    Connection {
        /// Host and port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The server's certificate does not chain to the pinned root.
    #[error("{address} is not trusted: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What TLS says.
        reason: String,
    },
    /// Nothing came within the time.
    #[error("{address} did not answer within {seconds} seconds")]
    Timeout {
        /// Host and port.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The authority refused.
    #[error("the certificate authority refused with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The authority's sentence.
        message: String,
        /// The refusal's code, which only a development server tells.
        code: Option<String>,
    },
    /// The answer is not what the contract says.
    #[error("the answer of {path} cannot be read: {reason}")]
    Answer {
        /// The route.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn remediation(&self) -> &'static str {
        match self {
            Self::Url(_) => "give the authority's URL, such as https://ca.example:9000",
            Self::Root(_) => "give the file of the authority's root certificate in PEM",
            Self::Connection { .. } => "check the URL, and that the authority is running",
            Self::Tls { .. } => {
                "compare the root's fingerprint with the one that the authority prints at start"
            }
            Self::Timeout { .. } => "try again, and look into the authority's log if it happens again",
            Self::Refused { status: 401, .. } => {
                "a token is good once and for minutes: make a new one with the right provisioner, \
                 key and authority URL; the authority's log says which rule it broke"
            }
            Self::Refused { status: 500..=599, .. } => "look into the authority's log",
            Self::Refused { .. } => "correct the request as the message says",
            Self::Answer { .. } => "check that the URL is that of a step-ca compatible authority",
        }
    }
}

/// A client of one authority.
#[derive(Debug)]
pub struct CaClient {
    connector: Connector,
}

impl CaClient {
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

    /// The audience of a token for signing.
    #[must_use]
    pub fn sign_audience(&self) -> String {
        format!("{}/1.0/sign", self.connector.base_url())
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

    /// `POST /1.0/sign`. The answer is as it came: check it with [`Expected::check`].
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
        let (status, code, body) = self.connector.call(call).await?;
        if !(200..300).contains(&status) {
            let message = serde_json::from_slice::<ErrorBody>(&body).map_or_else(
                |_| String::from_utf8_lossy(&body).trim().chars().take(300).collect(),
                |problem| problem.message,
            );
            return Err(Error::Refused { status, message, code });
        }
        serde_json::from_slice(&body)
            .map_err(|error| Error::Answer { path: call.path.to_owned(), reason: error.to_string() })
    }
}
