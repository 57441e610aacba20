import SlipwaySQL

/// The schema of a realm and of the control database, in the order they are applied.
package enum Migrations {
    package static let realm: [Migration] = [
        M0001.audit, M0002.tracking, M0003.registry, M0004.snapshots, M0005.pipelines, M0006.promotions, M0007.serving, M0008.monitoring, M0009.metrics,
        M0010.traces, M0011.people, M0012.gateway,
    ]
    package static let control: [Migration] = [M0001.audit, C0001.identities]
}
