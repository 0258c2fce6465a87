//! The body of a request, whole and bounded.

use std::ops::Deref;

use axum::body::Body;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use tokio::sync::SemaphorePermit;

use crate::http::App;
use crate::http::MAX_BODY;
use crate::http::limits::SMALL_BODY;
use crate::http::problem;
use crate::http::problem::Early;

/// A body, and the room that it takes.
pub(super) struct Whole<'a> {
    bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'a>>,
}

impl Deref for Whole<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most [`MAX_BODY`] bytes, or says what to answer (CONTRACT.md D10).
pub(super) async fn read(app: &App, body: Body) -> Result<Whole<'_>, Early> {
    let mut body = Limited::new(body, MAX_BODY);
    let (mut bytes, mut room) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => problem::body_too_large(),
            false => problem::body_cut(),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if room.is_none() && bytes.len() > SMALL_BODY {
            room = Some(app.edge.room_for_a_large_body().map_err(|_| problem::no_turn(app))?);
        }
    }
    Ok(Whole { bytes, _room: room })
}
