namespace CityGrid.Hub.Seams;

/// <summary>
/// The name of every failpoint, once. Compiled into a program with failpoints, which takes no other name, and into the tests that hold this list against the
/// source, against docs/failpoints.md, and against what they have died at.
/// </summary>
internal static class FailpointNames
{
    public static readonly IReadOnlyList<string> All =
    [
        // The writer and its journal.
        "journal.write.before", "journal.write.after", "journal.sync.after", "segment.roll.before", "segment.roll.after", "segment.pack.before",
        "segment.pack.written", "segment.pack.renamed", "segment.pack.durable", "segment.pack.deleted", "segment.create.written",
        "segment.create.synced", "segment.create.after", "batch.taken", "batch.decided", "batch.appended", "batch.folded", "batch.told",
        "batch.answered", "snapshot.before", "snapshot.written", "snapshot.synced", "snapshot.renamed", "snapshot.durable", "snapshot.old.deleted",
        // Start, recovery, the owner of the directory.
        "life.before", "life.synced", "life.renamed", "life.after", "recovery.before", "recovery.folders.after", "recovery.settled",
        "recovery.loaded", "recovery.copy.synced", "recovery.copy.renamed", "recovery.unfinished.before", "recovery.unfinished.after",
        "recovery.forms.before", "recovery.forms.after", "recovery.after", "recovery.cut.before", "recovery.cut.truncated", "recovery.cut.after",
        "replay.before", "replay.snapshot.loaded", "replay.after", "lock.before", "lock.held", "lock.line.before", "lock.line.after", "serve.before",
        "serve.after", "end.before", "root-epoch.before", "root-epoch.after",
        // Keys of personal data, and views.
        "keys.block.before", "keys.block.synced", "keys.block.renamed", "keys.block.after", "keys.erase.before", "keys.erase.written",
        "keys.erase.after", "view.create.before", "view.create.data", "view.create.after", "view.apply.before", "view.apply.written",
        "view.apply.committed", "view.close.before", "view.close.emptied", "view.fill.before", "view.fill.after",
        // A child and its parent: up.
        "wire.write.before", "wire.write.after", "head.sign.before", "head.sign.after", "parent-signer.keep.after", "parent-epoch.keep.after",
        "uplink.answer.heard", "uplink.dial.before", "uplink.send.before", "uplink.send.after", "uplink.cut.before", "uplink.cut.after",
        "receipt.keep.before", "receipt.keep.after", "cursor.trim.after", "epoch.keep.before", "epoch.keep.after",
        // A parent and its children.
        "countersign.before", "countersign.after", "answer.send.before", "answer.send.after", "epoch.grant.before", "cells.apply.before",
        "escalations.apply.before", "signer.note.before", "epoch.grant.after", "cells.apply.after", "escalations.apply.after", "signer.note.after",
        "rewind.after", "parked.settle.before", "parked.settle.after", "rewind.before",
        // Orders.
        "order.issue.before", "order.issue.after", "order.step.before", "order.step.after", "orders.send.before", "orders.send.after",
        "orders.receipt.heard", "orders.cursor.trimmed", "orders.receipt.send.before", "orders.receipt.send.after", "orders.keep.before",
        "orders.keep.after", "orders.reroute.before", "orders.reroute.after",
        // Catalogue packages.
        "package.publish.before", "package.publish.after", "package.chunk.send.before", "package.chunk.send.after", "package.chunk.take.before",
        "package.chunk.take.after", "package.keep.before", "package.keep.after", "package.refusal.keep.before", "package.refusal.keep.after",
        "package.receipt.send.before", "package.receipt.send.after", "package.receipt.heard", "package.feed.moved", "packages.note.before",
        "packages.note.after",
        // Places, certificates, enrolment.
        "place.take.before", "place.take.after", "renewal.give.before", "renewal.give.after", "place.open.before", "place.open.after",
        "place.approve.before", "place.approve.after", "revoke.before", "revoke.after", "enrol.keys.made", "enrol.noted", "credential.install.before",
        "credential.install.certificate", "credential.install.after", "credential.key.written", "credential.file.before", "credential.file.synced",
        "credential.file.renamed", "credential.file.after", "enrol.ask.before", "enrol.ask.after", "renew.ask.before", "renew.ask.after",
        "credential.reload.before", "credential.reload.after", "root.key.written", "root.made", "child.drop.before", "child.drop.after",
        // Bundles.
        "bundle.make.before", "bundle.note.before", "bundle.note.after", "bundle.take.before", "bundle.take.after", "bundle.answer.before",
        "bundle.answer.after",
        // Backup, restore, rebuild.
        "restore.before", "restore.marked", "restore.written", "restore.read", "restore.renewed", "restore.recorded", "restore.after",
        "backup.before", "backup.node.written", "backup.keys.written", "backup.checked", "backup.keys.renamed", "backup.keys.durable",
        "backup.node.renamed", "backup.after", "rebuild.before", "rebuild.view.deleted", "rebuild.after",
    ];
}
