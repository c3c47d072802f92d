//! Maps paths to answers.

use std::path::PathBuf;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::answers::Answers;
use crate::report;

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
/// The path of the report's pages.
const REPORT: &str = "/report/";

/// What the server knows.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) answers: Answers,
    /// The folder of the report's pages.
    pub(crate) report: Option<PathBuf>,
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Site {
    /// The answer to a request.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let path = request.uri().path();
        match path {
            "/heartbeat" | "/metrics" | "/status.json" => self.health(path).await,
            "/" => response(StatusCode::OK, TEXT, "/heartbeat\n/metrics\n/status.json\n/report/\n"),
            _ => self.page(path),
        }
    }

    async fn health(&self, path: &str) -> Response<Full<Bytes>> {
        let Some(snapshot) = self.answers.get().await else {
            return response(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "the state of the hub could not be determined in time\n",
            );
        };
        match path {
            "/metrics" => response(StatusCode::OK, METRICS, snapshot.metrics.clone()),
            "/status.json" => response(StatusCode::OK, JSON, snapshot.status.clone()),
            _ => {
                let status = if snapshot.is_alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                response(status, TEXT, snapshot.heartbeat.clone())
            }
        }
    }

    fn page(&self, path: &str) -> Response<Full<Bytes>> {
        let page = path.strip_prefix(REPORT).zip(self.report.as_ref());
        match page.and_then(|(rest, folder)| report::read(folder, rest)) {
            Some((kind, bytes)) => response(StatusCode::OK, kind, bytes),
            // the path is not repeated, because it is somebody's input
            None => response(StatusCode::NOT_FOUND, TEXT, "there is no such page\n"),
        }
    }
}
