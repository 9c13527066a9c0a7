//! Connections: real HTTP/1.1 on loopback, with a way to write what HTTP forbids.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::answer::Answer;
use super::body::Body;
use super::endpoints;
use super::request::Asked;
use super::service::{Service, held};

/// Largest body of a request: a form for the token endpoint.
const FORM_BYTES: usize = 64 << 10;

/// Which origin a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Graph,
    Elsewhere,
}

/// Accepts connections for ever.
pub(crate) async fn listen(listener: TcpListener, place: Place, service: Arc<Service>) {
    loop {
        // Out of file descriptors, most likely: a pause lets others end.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        drop(tokio::spawn(serve(stream, place, Arc::clone(&service))));
    }
}

async fn serve(stream: TcpStream, place: Place, service: Arc<Service>) {
    drop(stream.set_nodelay(true));
    let raw = Arc::new(Mutex::new(None));
    let wire = Wire { stream, raw: Arc::clone(&raw) };
    let answer = service_fn(move |request| {
        let (service, raw) = (Arc::clone(&service), Arc::clone(&raw));
        async move { respond(request, place, service, &raw).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(1 << 20)
        .serve_connection(TokioIo::new(wire), answer);
    // Clients cut connections, and so does the fake: neither is worth a word.
    drop(connection.await);
}

async fn respond(
    request: Request<Incoming>,
    place: Place,
    service: Arc<Service>,
    raw: &Mutex<Option<Bytes>>,
) -> Result<Response<Body>, HangUp> {
    let (parts, body) = request.into_parts();
    let id = service.chance("request", service.next_serial()).guid();
    let asked = Asked::new(&parts, id, service.now());
    let form = Limited::new(body, FORM_BYTES).collect().await;
    let form = form.map(Collected::to_bytes).unwrap_or_default();
    let answer = endpoints::answer(&service, &asked, place, &form);
    if answer.dropped {
        service.note(|seen| seen.leave(0));
        return Err(HangUp);
    }
    held(raw).clone_from(&answer.raw);
    Ok(response(answer, &asked, service))
}

fn response(answer: Answer, asked: &Asked, service: Arc<Service>) -> Response<Body> {
    service.note(|seen| {
        *seen.answers.entry(answer.status).or_default() += 1;
        seen.items += answer.items;
    });
    let mut response = Response::new(Body::new(answer.steps, service));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    let ids = [
        ("request-id", asked.request_id.clone()),
        ("client-request-id", asked.client_request_id.clone()),
        ("strict-transport-security", "max-age=31536000".to_owned()),
        ("vary", "Accept-Encoding".to_owned()),
        ("x-ms-ags-diagnostic", DIAGNOSTIC.to_owned()),
    ];
    for (name, value) in ids.into_iter().chain(answer.headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            drop(response.headers_mut().insert(HeaderName::from_static(name), value));
        }
    }
    response
}

const DIAGNOSTIC: &str =
    r#"{"ServerInfo":{"DataCenter":"Loopback","Slice":"E","Ring":"0","ScaleUnit":"000"}}"#;

/// Makes hyper end the connection without an answer.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

/// A connection on which prepared bytes can stand in for the next answer.
struct Wire {
    stream: TcpStream,
    raw: Arc<Mutex<Option<Bytes>>>,
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let mut raw = held(&wire.raw);
        let Some(prepared) = raw.as_mut() else {
            drop(raw);
            return Pin::new(&mut wire.stream).poll_write_vectored(context, slices);
        };
        while !prepared.is_empty() {
            let written =
                std::task::ready!(Pin::new(&mut wire.stream).poll_write(context, prepared))?;
            prepared.advance(written);
        }
        // What hyper wanted to say is not said; this ends the connection.
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
