using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Checks;

/// <summary>Clauses A3 to A5, INV-28: heads of all lives and all lanes, upward and downward, over a change of key; and what anchors nothing.</summary>
public sealed class A_history_is_kept_by_its_neighbours
{
    private SignedTree _tree = null!;

    [SetUp]
    public void Live()
    {
        _tree = new SignedTree();
        _tree.Work(6);
    }

    [TearDown]
    public void Release() => _tree.Dispose();

    [Test]
    public void Heads_of_every_lane_are_kept_and_signed()
    {
        _tree.Stop();
        var lanes = Above().Anchors.Select(anchor => ((SignedHead)anchor.Signed!.Message).Lane).Distinct();
        Assert.That(lanes, Is.EquivalentTo(new[] { Lane.Cells, Lane.Alarms }));
    }

    [Test]
    public void What_goes_by_file_is_signed_and_countersigned_too()
    {
        _tree.CutTheLine();
        _tree.Work(2);
        var (above, below) = (Above().Anchors.Count, Below().Anchors.Count);
        _tree.ExchangeByFile();
        var (heads, receipts) = (Above(), Below());
        Assert.Multiple(() =>
        {
            Assert.That(heads.Fault ?? receipts.Fault, Is.Null);
            Assert.That(heads.Anchors, Has.Count.GreaterThan(above));
            Assert.That(receipts.Anchors, Has.Count.GreaterThan(below));
            Assert.That(heads.Anchors.All(anchor => anchor.Signed is not null));
        });
        Sound(_tree.City.Disk.Copy(), heads, "are signed");
        Sound(_tree.Province.Disk.Copy(), receipts, "are signed");
    }

    [Test]
    public void A_new_key_changes_nothing_of_what_the_old_one_signed()
    {
        _tree.RenewKey();
        _tree.Work(2);
        _tree.Stop();
        var book = Above();
        Assert.That(book.Fault, Is.Null);
        Assert.That(book.Anchors.Select(anchor => anchor.Signed!.Signer.Fingerprint).Distinct().Count(), Is.EqualTo(2));
        Sound(_tree.City.Disk, book, "are signed");
    }

    [Test]
    public void A_parent_is_held_against_what_its_child_kept_of_it()
    {
        _tree.Stop();
        var book = Below();
        Assert.That(book.Anchors, Has.Count.GreaterThan(5));
        Assert.That(book.Anchors.All(anchor => anchor.Signed?.Message is Countersignature));
        Sound(_tree.Province.Disk, book, "are signed");

        var records = SignedTree.Records(_tree.Province);
        using var journal = SignedTree.Open(_tree.Province.Disk, SignedTree.ProvinceName);
        var life = journal.Incarnation;
        var last = book.Anchors[^1].Mark.Lsn;
        var cut = records.FindIndex(record => record.Last >= last);
        var agreed = book.Anchors.Last(anchor => anchor.Mark.Lsn < records[cut].First).Mark.Lsn;
        Damaged(SignedTree.Forge(SignedTree.ProvinceName, life, records[..cut].Select(SignedTree.Draft)), book, $"index {agreed.Next}");
        Damaged(SignedTree.Forge(SignedTree.ProvinceName, new Incarnation(77), records.Select(SignedTree.Draft)), book, "index 1");
        var drafts = records.Select(SignedTree.Draft).ToList();
        drafts[2] = (drafts[2].At, drafts[2].Record with { Actor = "somebody" });
        agreed = book.Anchors.Select(anchor => anchor.Mark.Lsn).Where(lsn => lsn < records[2].First).DefaultIfEmpty(Lsn.Zero).Max();
        Damaged(SignedTree.Forge(SignedTree.ProvinceName, life, drafts), book, $"index {agreed.Next}");
    }

    [Test]
    public void A_restored_directory_is_sound_with_the_heads_of_both_lives_and_says_what_is_missing()
    {
        _tree.City.Crash(powerCut: false);
        var copy = _tree.City.Disk.Copy();
        _tree.City.Start();
        _tree.Work(3);
        _tree.City.Crash(powerCut: false);
        var lost = _tree.City.Disk;
        _tree.City.Replace(copy);
        _tree.City.Renew();
        _tree.City.Start();
        _tree.Work(2);
        _tree.Stop();

        var book = Above();
        Assert.That(book.Anchors.Select(anchor => anchor.Life).Distinct().Count(), Is.EqualTo(2));
        Sound(_tree.City.Disk, book, "which was restored from a copy");
        Damaged(lost, book, "index 1");

        // What stands before the copy is covered by the heads of the new life too.
        var records = SignedTree.Records(_tree.City);
        var drafts = records.Select(SignedTree.Draft).ToList();
        drafts[3] = (drafts[3].At, drafts[3].Record with { Actor = "somebody" });
        using var journal = SignedTree.Open(_tree.City.Disk, SignedTree.CityName);
        var began = ((JournalVerdict.Sound)JournalVerifier.Verify(_tree.City.Disk)).Began;
        var forged = SignedTree.Forge(SignedTree.CityName, began, drafts);
        CopyFile(_tree.City.Disk, forged, DirectoryLife.Path);
        Damaged(forged, book, "index ");
    }

    [Test]
    public void A_directory_that_only_says_that_it_was_restored_proves_nothing()
    {
        _tree.Stop();
        var book = Above();
        var records = SignedTree.Records(_tree.City);
        var began = ((JournalVerdict.Sound)JournalVerifier.Verify(_tree.City.Disk)).Began;
        var drafts = records.Select(SignedTree.Draft).ToList();
        drafts[3] = (drafts[3].At, drafts[3].Record with { Actor = "somebody" });
        var forged = SignedTree.Forge(SignedTree.CityName, began, drafts);
        DirectoryLife.Renew(forged, new SeededEntropy(6), SignedTree.CityName);
        var verdict = SignedTree.Judge(forged, book);
        Assert.That(verdict.ExitCode, Is.EqualTo(3));
        Assert.That(verdict.What, Does.Contain("has not heard of it since"));
    }

    [Test]
    public void A_parent_that_changed_what_its_child_told_anchors_nothing()
    {
        _tree.Stop();
        var records = SignedTree.Records(_tree.Province).Select(SignedTree.Draft).ToList();
        var at = records.FindIndex(draft => draft.Record.Events[0].Kind == EventKinds.CellsReceived);
        Twisted(cells => cells.SignedHead = Head(cells, head => head.SignedAt++), "is not one of city-1-1");
        Twisted(cells => cells.SignedHead = Head(cells, head => head.Signer = ByteString.CopyFrom(new byte[32])), "has not shown before");
        Twisted(cells => cells.Part = ByteString.CopyFrom([.. cells.Part, 0x98, 0x06, 0x01]), "another part");
        Twisted(cells => cells.Epoch++, "another part");

        void Twisted(Action<CellsReceived> twist, string why)
        {
            var drafts = records.ToList();
            var payload = CellsReceived.Parser.ParseFrom(drafts[at].Record.Events[0].Payload.Span);
            twist(payload);
            drafts[at] = (drafts[at].At, drafts[at].Record with { Events = [new EventDraft(EventKinds.CellsReceived, 1, payload.ToByteArray())] });
            var forged = SignedTree.Forge(SignedTree.ProvinceName, new Incarnation(3), drafts);
            var verdict = SignedTree.Judge(_tree.City.Disk.Copy(), SignedTree.BookOf(forged, SignedTree.ProvinceName, SignedTree.CityName, _tree.Signers));
            Assert.That(verdict.ExitCode, Is.EqualTo(3), why);
            Assert.That(verdict.What, Does.Contain(why));
        }
    }

    [Test]
    public void Signers_of_another_authority_anchor_nothing()
    {
        _tree.Stop();
        using var others = new Identity.Signers(_tree.Signers.Now, seed: 9);
        var book = SignedTree.BookOf(_tree.Province.Disk, SignedTree.ProvinceName, SignedTree.CityName, others);
        Assert.That(book.Fault?.Why, Does.Contain("not of this network's authority"));
        Assert.That(SignedTree.Judge(_tree.City.Disk, book).ExitCode, Is.EqualTo(3));
    }

    [Test]
    public void Where_nobody_signs_the_heads_still_anchor()
    {
        using var bare = new SignedTree(signs: false);
        bare.Work(2);
        bare.Stop();
        var book = SignedTree.BookOf(bare.Province.Disk, SignedTree.ProvinceName, SignedTree.CityName, null);
        Sound(bare.City.Disk, book, $"0 of {book.Anchors.Count} are signed");
    }

    private static ByteString Head(CellsReceived cells, Action<SignedHead> twist)
    {
        var head = SignedHead.Parser.ParseFrom(cells.SignedHead);
        twist(head);
        return head.ToByteString();
    }

    private AnchorBook Above() => SignedTree.BookOf(_tree.Province.Disk.Copy(), SignedTree.ProvinceName, SignedTree.CityName, _tree.Signers);

    private AnchorBook Below() => SignedTree.BookOf(_tree.City.Disk.Copy(), SignedTree.CityName, SignedTree.ProvinceName, _tree.Signers);

    private static void Sound(ModelDisk disk, AnchorBook book, string what)
    {
        var verdict = SignedTree.Judge(disk, book);
        Assert.That(verdict.ExitCode, Is.Zero, verdict.ToString());
        Assert.That(verdict.What, Does.Contain(what));
    }

    private static void Damaged(ModelDisk disk, AnchorBook book, string place)
    {
        var verdict = SignedTree.Judge(disk, book);
        Assert.That(verdict.ExitCode, Is.EqualTo(2), verdict.ToString());
        Assert.That(verdict.Place, Does.StartWith(place));
    }

    private static void CopyFile(ModelDisk from, ModelDisk to, string path)
    {
        using var file = to.Open(path, DiskAccess.CreateNew);
        file.Write(0, from.Bytes(path));
    }
}
