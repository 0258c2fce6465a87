//! One connection to the register, in RESP: the few commands and replies that it takes.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::store::register::address::RegisterAddress;

/// How long connecting and signing in may take.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// How long the answers to what was sent together may take.
pub(super) const ANSWER: Duration = Duration::from_secs(3);

/// No reply here is longer.
const LONGEST_LINE: u64 = 4096;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is signed in.
pub(super) struct Connection(BufReader<Box<dyn Stream>>);

/// A reply, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `+OK`, or any other text or number.
    Done,
    /// Nothing: `SET … NX` found the key there.
    Nothing,
    /// An error, in the server's words.
    Refused(String),
}

impl Connection {
    /// Connects and signs in; a reason against is for people.
    pub(super) async fn open(address: &RegisterAddress) -> Result<Self, String> {
        match tokio::time::timeout(CONNECT, Self::open_in_time(address)).await {
            Ok(opened) => opened,
            Err(_) => Err(format!("no connection within {CONNECT:?}")),
        }
    }

    async fn open_in_time(address: &RegisterAddress) -> Result<Self, String> {
        let reason = |error: std::io::Error| error.to_string();
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(reason)?;
        stream.set_nodelay(true).map_err(reason)?;
        let stream: Box<dyn Stream> = match &address.protection {
            None => Box::new(stream),
            Some(protection) => {
                let config = protection.client_config()?;
                let name = ServerName::try_from(address.host.clone()).map_err(|error| error.to_string())?;
                Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(reason)?)
            }
        };
        let mut connection = Self(BufReader::new(stream));
        let database = address.database.to_string();
        let mut commands = Vec::new();
        match (&address.user, &address.password) {
            (Some(user), Some(password)) => commands.push(vec!["AUTH", user.as_str(), password.as_str()]),
            (None, Some(password)) => commands.push(vec!["AUTH", password.as_str()]),
            _ => {}
        }
        commands.push(vec!["SELECT", database.as_str()]);
        for answer in connection.ask(&commands).await.map_err(reason)? {
            if let Answer::Refused(reason) = answer {
                return Err(reason);
            }
        }
        Ok(connection)
    }

    /// Sends commands together and reads their answers, in order.
    pub(super) async fn ask(&mut self, commands: &[Vec<&str>]) -> std::io::Result<Vec<Answer>> {
        let mut sent = zeroize::Zeroizing::new(Vec::with_capacity(commands.len() * 160));
        for words in commands {
            sent.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                sent.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                sent.extend_from_slice(word.as_bytes());
                sent.extend_from_slice(b"\r\n");
            }
        }
        self.0.get_mut().write_all(&sent).await?;
        self.0.get_mut().flush().await?;
        let mut answers = Vec::with_capacity(commands.len());
        for _ in commands {
            answers.push(self.answer().await?);
        }
        Ok(answers)
    }

    async fn answer(&mut self) -> std::io::Result<Answer> {
        let mut line = String::new();
        (&mut self.0).take(LONGEST_LINE).read_line(&mut line).await?;
        let Some(line) = line.strip_suffix("\r\n") else {
            return Err(std::io::Error::other("the connection ended, or it is no Valkey"));
        };
        match (line.get(..1), line.get(1..).unwrap_or_default()) {
            (Some("+" | ":"), _) => Ok(Answer::Done),
            (Some("$" | "*"), "-1") => Ok(Answer::Nothing),
            (Some("-"), reason) => Ok(Answer::Refused(reason.to_owned())),
            _ => Err(std::io::Error::other("an answer that was not asked for: it is no Valkey")),
        }
    }

    /// Waits for the end of a connection on which nothing is under way.
    pub(super) async fn ended(&mut self) {
        // Whatever comes, nobody asked for it.
        let _ = self.0.read(&mut [0]).await;
    }
}
