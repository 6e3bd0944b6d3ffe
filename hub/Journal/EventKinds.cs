namespace CityGrid.Hub.Journal;

/// <summary>
/// The kinds of events that the hub itself writes: 1 to 999. A node's own kinds start at 1000 and are opaque here. Numbers are never reused.
/// </summary>
public static class EventKinds
{
    /// <summary>A data directory began: incarnation, node, division.</summary>
    public const ushort DirectoryCreated = 1;

    /// <summary>A part of a cells cut was received from a child and applied, with the new cursor.</summary>
    public const ushort CellsReceived = 10;

    /// <summary>Escalations were received from a child, with the new cursor.</summary>
    public const ushort EscalationsReceived = 11;

    /// <summary>A child was granted an epoch.</summary>
    public const ushort EpochGranted = 12;

    /// <summary>A child was quarantined, with the reason; or released.</summary>
    public const ushort ChildQuarantined = 13;

    /// <summary>Records that were kept aside were judged again: some are applied now, or refused.</summary>
    public const ushort ParkedSettled = 14;

    /// <summary>A name of a node belongs to a division from here on, by a person's word or because a child bears it; what was held of it elsewhere is let go of.</summary>
    public const ushort NameGiven = 15;

    /// <summary>The parent's receipt: applied up to, per lane; or the epoch it granted.</summary>
    public const ushort ReceiptKept = 20;

    /// <summary>This node's own epoch as granted by its parent.</summary>
    public const ushort EpochTaken = 21;

    /// <summary>This node raised an escalation, or a new version of one: the payload is the protocol's Escalation, made once and never changed.</summary>
    public const ushort EscalationRaised = 30;

    /// <summary>A place was asked for: the child that may report, for which divisions.</summary>
    public const ushort PlaceOpened = 40;

    /// <summary>A place was approved and has a one-time code; its hash alone is here.</summary>
    public const ushort PlaceApproved = 41;

    /// <summary>A wrong code was tried at an open place.</summary>
    public const ushort CodeTried = 42;

    /// <summary>A child took its place: the certificates that it was given.</summary>
    public const ushort ChildEnrolled = 43;

    /// <summary>A child was given new certificates over its link.</summary>
    public const ushort ChildRenewed = 44;

    /// <summary>Certificates of a child are not taken any more.</summary>
    public const ushort ChildRevoked = 45;

    /// <summary>A child reports no more.</summary>
    public const ushort ChildRetired = 46;

    /// <summary>A child showed a renewed certificate for the first time: from now on those before it are on their way out.</summary>
    public const ushort CertificateShown = 47;
    /// <summary>With what a peer signs from here on: once per change, so that its statements can be checked from this journal alone.</summary>
    public const ushort SignerShown = 50;

    /// <summary>What came of comparing the ranges that a child stated, in the record of the part that stated them.</summary>
    public const ushort RangesCompared = 55;

    /// <summary>What a child's repair of a range did to the cells held, in the record of the part that brought it.</summary>
    public const ushort RangeRepaired = 56;

    /// <summary>An order was issued here: the payload is the protocol's Order, made once and never changed.</summary>
    public const ushort OrderIssued = 60;

    /// <summary>Orders were received from the parent, with the new cursor.</summary>
    public const ushort OrdersReceived = 61;

    /// <summary>What became of an order was decided here: the payload is the protocol's OrderReceipt, made once and never changed.</summary>
    public const ushort OrderReceipted = 62;

    /// <summary>A bundle was made for the parent, up to a position: a later one is cut there, so that either may come first.</summary>
    public const ushort BundleMade = 63;

    /// <summary>A child is to send everything again: more of its records were parked than are listed, and a person asked for them.</summary>
    public const ushort ChildRewound = 64;

    /// <summary>What this node signed of an order, in the record in which it was issued.</summary>
    public const ushort OrderSigned = 65;

    /// <summary>Orders go down once more, because the way to their places is another one now.</summary>
    public const ushort OrdersRerouted = 66;

    /// <summary>The directory was made of a backup: which life it leads from here on, and where the backup ended.</summary>
    public const ushort DirectoryRestored = 70;

    /// <summary>The parent was heard in a later epoch of its own than before; a node that had an earlier one is not believed any more.</summary>
    public const ushort ParentEpochHeard = 71;

    /// <summary>A catalogue package was published here: the protocol's CataloguePackage, made once and never changed, and the request that it answers.</summary>
    public const ushort PackagePublished = 80;

    /// <summary>A package came from the parent and was taken, or refused with a code.</summary>
    public const ushort PackageReceived = 81;

    /// <summary>What a child said of the packages that it has, and of one that it refused.</summary>
    public const ushort PackagesTold = 82;

    /// <summary>A parent is told of other matters from here on than before.</summary>
    public const ushort MattersChosen = 83;

    /// <summary>The first kind of the node's own events.</summary>
    public const ushort NodeFirst = 1000;
}
