//! The HTTP server: `/metrics`, `/healthz` and `/readyz`, to be read and nothing else.
//!
//! Whoever can reach it is no friend: connections are few, requests short and quick, and each has a connection of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::{Metrics, text};

/// Connections at once; where there are more, the oldest has to go: it had time enough to say what it wants.
const CONNECTIONS: usize = 16;

/// The time for the header of a request.
const HEADER_TIME: Duration = Duration::from_secs(2);

/// The time for one connection.
const TIME: Duration = Duration::from_secs(10);

/// The longest header of a request, in octets; hyper's least.
const LONGEST: usize = 8192;

/// The pause when the system has no connection for us.
const PAUSE: Duration = Duration::from_secs(1);

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Begins to listen.
///
/// # Errors
///
/// The system refuses the address.
pub(in crate::daemon) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves for ever.
pub(in crate::daemon) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS);
    let mut is_well = true;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                is_well = true;
                open.retain(|connection| !connection.is_finished());
                if open.len() == CONNECTIONS
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                let metrics = Arc::clone(&metrics);
                let connection = tokio::spawn(async move { converse(stream, &metrics).await });
                open.push_back(connection.abort_handle());
            }
            Err(error) => {
                // Once for each time that it goes wrong.
                if std::mem::take(&mut is_well) {
                    warn!(%error, "metrics.listen: no connection could be accepted; trying again");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, metrics: &Arc<Metrics>) {
    let service = service_fn(|request| {
        let response = respond(&request, metrics);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(LONGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a reader of metrics"),
        Err(_) => debug!("a reader of metrics was too slow"),
    }
}

fn respond<B>(request: &Request<B>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let page: fn(&Metrics) -> (StatusCode, HeaderValue, String) = match request.uri().path() {
        "/metrics" => |metrics| (StatusCode::OK, text::TYPE, text::of(metrics)),
        "/healthz" => |_| (StatusCode::OK, PLAIN, "alive\n".to_owned()),
        "/readyz" => ready,
        _ => return plain(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this can only be read\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (status, kind, text) = page(metrics);
    response(status, kind, text)
}

fn ready(metrics: &Metrics) -> (StatusCode, HeaderValue, String) {
    let readiness = metrics.readiness();
    let status = if readiness.is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if readiness.is_ready { "ready" } else { "not ready" };
    let lines = std::iter::once(word.to_owned()).chain(readiness.remarks);
    (status, PLAIN, lines.map(|line| line + "\n").collect())
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    response(status, PLAIN, text.to_owned())
}

fn response(status: StatusCode, kind: HeaderValue, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
