//! A socket whose client has to take what it is sent.
//!
//! Reading has its own times, in `connection`: what comes, and when, depends on the protocol.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;

/// What a client has to take within the time it is given, in bytes: less than 1 KiB a second is no connection.
const PROGRESS: usize = 16 << 10;

/// How long a client may go on sending after the end: what it sends is dropped. Closing at once would reset the
/// connection, and with it what the client has not read yet, the answer or the notice that it is the last
/// (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// Writing fails when the client takes nothing for too long, or hardly anything; closing waits until it has heard.
#[derive(Debug)]
pub(super) struct Stalling<S> {
    inner: S,
    patience: Duration,
    /// There from the first write that had to wait; armed or not.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since the deadline was set, while a write waits.
    blocked: Option<usize>,
    /// Whether nothing will be written any more.
    closed: bool,
}

impl<S> Stalling<S> {
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience, deadline: None, blocked: None, closed: false }
    }

    /// Judges what came of a write of `wanted` bytes.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(length)) if *length >= wanted => self.blocked = None,
            Poll::Ready(Ok(length)) => {
                self.blocked = self.blocked.map(|taken| taken + length);
                if self.blocked.is_some_and(|taken| taken >= PROGRESS) {
                    self.blocked = None;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return self.wait(context),
        }
        written
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.blocked.is_none() {
            self.blocked = Some(0);
            self.set_deadline(self.patience);
        }
        let slow = || io::Error::new(io::ErrorKind::TimedOut, "the client does not take what it is sent");
        self.poll_deadline(context).map(|()| Err(slow()))
    }

    fn set_deadline(&mut self, time: Duration) {
        let end = Instant::now() + time;
        match &mut self.deadline {
            Some(deadline) => deadline.as_mut().reset(end),
            None => self.deadline = Some(Box::pin(tokio::time::sleep_until(end))),
        }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.deadline.as_mut().map_or(Poll::Pending, |deadline| deadline.as_mut().poll(context))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        self.judge(context, written, wanted)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.closed = true;
            self.set_deadline(LINGER);
        }
        loop {
            let mut dropped = [0; 2048];
            let mut dropped = ReadBuf::new(&mut dropped);
            match Pin::new(&mut self.inner).poll_read(context, &mut dropped) {
                Poll::Ready(Ok(())) if !dropped.filled().is_empty() => {}
                // The client has closed its side as well, or is gone.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.poll_deadline(context).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(500);

    /// What becomes of 64 KiB when the other end takes `bytes` every `pause`.
    async fn write_to(bytes: usize, pause: Duration) -> io::Result<()> {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut stream = Stalling::new(near, PATIENCE);
        tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            while far.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                tokio::time::sleep(pause).await;
            }
        });
        stream.write_all(&[0; 64 << 10]).await
    }

    #[tokio::test]
    async fn whoever_takes_nothing_is_left() {
        let (near, _far) = tokio::io::duplex(1024);
        let mut stream = Stalling::new(near, PATIENCE);
        let begun = Instant::now();
        let error = stream.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn closing_waits_for_a_client_that_still_sends() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut stream = Stalling::new(near, PATIENCE);
        let far = tokio::spawn(async move {
            // More than there is room for: it waits until somebody reads.
            far.write_all(&[0; 10_000]).await.unwrap();
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            heard
        });
        stream.write_all(b"the last").await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        assert_eq!(far.await.unwrap(), b"the last");
        // One that does not close is not waited for much longer.
        let (near, _far) = tokio::io::duplex(1024);
        let begun = Instant::now();
        Stalling::new(near, PATIENCE).shutdown().await.unwrap();
        assert!(begun.elapsed() >= LINGER);
    }

    #[tokio::test]
    async fn slow_is_enough_and_a_trickle_is_not() {
        write_to(1024, Duration::from_millis(1)).await.unwrap();
        let error = write_to(8, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn time_without_anything_to_send_does_not_count() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut stream = Stalling::new(near, PATIENCE);
        for _ in 0..2 {
            let taken = tokio::spawn(async move {
                // The write waits before anything is taken.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut buffer = [0; 2048];
                far.read_exact(&mut buffer).await.unwrap();
                far
            });
            stream.write_all(&[0; 2048]).await.unwrap();
            far = taken.await.unwrap();
            tokio::time::sleep(PATIENCE + Duration::from_millis(100)).await;
        }
    }
}
