//! The servers: one task accepts, and one task a connection serves. The same
//! code for every engine; sockets are Tokio's, so an engine must drive those.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
};

use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::engine::{Engine, Importance, Spawn};

/// Bytes of one message.
pub(in crate::groups) const MESSAGE: usize = 64;

/// Starts to echo; the address is where.
pub(in crate::groups) fn echo<E: Engine>(engine: &E) -> SocketAddr {
    serve(engine, Importance::Middling, echo_connection)
}

/// Starts to serve a page of two words at `/`. Not by `axum::serve`, which would
/// put the connections into tasks of Tokio's.
pub(in crate::groups) fn page<E: Engine>(engine: &E, importance: Importance) -> SocketAddr {
    let router = Router::new().route("/", get(async || "hello world"));
    serve(engine, importance, move |stream| {
        let service = TowerToHyperService::new(router.clone());
        async move {
            // A connection that its client has reset is no news.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
}

fn serve<E, C, F>(engine: &E, importance: Importance, connection: C) -> SocketAddr
where
    E: Engine,
    C: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel();
    let inside = engine.inside();
    let acceptor = engine.outside().spawn_at(importance, async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound port has an address");
        sender.send(address).expect("the address is waited for");
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("TCP has no delay");
            <E::Inside as Spawn>::detach(inside.spawn_at(importance, connection(stream)));
        }
    });
    <E::Outside as Spawn>::detach(acceptor);
    receiver.recv().expect("the server starts")
}

async fn echo_connection(mut stream: TcpStream) {
    let mut message = [0; MESSAGE];
    while stream.read_exact(&mut message).await.is_ok() {
        if stream.write_all(&message).await.is_err() {
            return;
        }
    }
}
