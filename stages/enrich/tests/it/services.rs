//! The name server and the geo service of a small made-up hub, for the tests of the nightly jobs.

use fixtures::Run;

use crate::geo_server::{GeoServer, Says};
use crate::name_server::{NameServer, Reply};

/// Both, until they are dropped.
pub(crate) struct Services {
    pub(crate) names: NameServer,
    pub(crate) geo: GeoServer,
}

impl Services {
    /// `host` answers by the last number of an address; every 8.x.x.x is in the US, nothing else is known.
    pub(crate) fn start(host: impl Fn(u8) -> Reply + Send + Sync + 'static) -> Self {
        let names = NameServer::start(move |ip| host(ip.octets()[3]));
        let geo = GeoServer::start(|n| if n >> 24 == 8 { Says::Country("US") } else { Says::Unknown });
        Self { names, geo }
    }

    /// A run that asks these two.
    pub(crate) fn asked_by(&self, run: Run) -> Run {
        run.args(["--nameserver", &self.names.address(), "--geo-url", &self.geo.url()])
    }
}
