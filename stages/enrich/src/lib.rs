//! Host names, domains, countries: the rules, shared by the stages that fill them in.
//!
//! [`domain`] is pure, [`country`] uses a database file in memory, [`dns`] asks name servers and is
//! the only place that knows the resolver and its runtime; [`dnscache`] keeps its answers between
//! runs; [`hosts`] combines both with an offline table. [`geo_service`] asks where addresses are,
//! [`geo_cache`] keeps that in a table of the hub, [`place_cache`] in a file for IPv6. [`table`]
//! writes the results to tables; [`steps`] are the steps of stages that do so.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod country;
pub mod dns;
pub mod dnscache;
pub use schema::domain;
pub mod geo_cache;
pub mod geo_service;
pub mod hosts;
pub mod options;
pub mod place_cache;
pub mod steps;
pub mod table;
