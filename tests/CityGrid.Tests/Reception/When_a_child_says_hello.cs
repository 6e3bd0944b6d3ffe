using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clauses L2, L3, L7, L8 and L13; INV-8, INV-21, INV-22; RULE-8.</summary>
public sealed class When_a_child_says_hello
{
    private static Parent Hubei(EpochPolicy policy = EpochPolicy.Granted) => new("hubei", "42", Registers.Tempting, policy);

    private static Child Wuhan() => new("wuhan", "4201");

    [Test]
    public void The_first_directory_of_a_node_is_granted_an_epoch_and_starts_at_zero()
    {
        var parent = Hubei(EpochPolicy.Asked);
        var welcome = Wuhan().Join(parent);
        Assert.Multiple(() =>
        {
            Assert.That(welcome.ChildEpoch, Is.EqualTo(1));
            Assert.That(welcome.ChildEpochNonce, Is.Not.Zero);
            Assert.That(welcome.Positions.Select(p => p.Lsn), Is.EqualTo(new long[] { 0, 0, 0 }));
            Assert.That(parent.Reception.Child(NodeId.Parse("wuhan"))!.Incarnation.IsNone, "A grant takes office when it speaks.");
        });
    }

    [Test]
    public void A_lost_welcome_is_given_again_and_grants_nothing_more()
    {
        var parent = Hubei();
        var child = Wuhan();
        var first = parent.Take(child.Peer, child.Hello()).Welcome;
        parent.HangUp(child.Node);
        var head = parent.Head;
        var again = parent.Take(child.Peer, child.Hello()).Welcome;
        Assert.Multiple(() =>
        {
            Assert.That((again.ChildEpoch, again.ChildEpochNonce), Is.EqualTo((first.ChildEpoch, first.ChildEpochNonce)));
            Assert.That(parent.Head, Is.EqualTo(head));
        });
    }

    [Test]
    public void The_welcome_says_where_each_lane_stands()
    {
        var parent = Hubei();
        var child = Joined(parent);
        var welcome = child.Join(parent);
        Assert.That(welcome.Positions.Single(p => p.Lane == Lane.Cells).Lsn, Is.EqualTo(5));
        Assert.That(welcome.Positions.Single(p => p.Lane == Lane.Escalations).Lsn, Is.Zero);
    }

    [Test]
    public void It_comes_first_and_once()
    {
        var parent = Hubei();
        var child = Wuhan();
        Assert.That(parent.Take(child.Peer, child.Cut(0, 5, [])).Refusal.Code, Is.EqualTo(LinkRefusalCode.NoSession));
        child.Join(parent);
        Assert.That(parent.Take(child.Peer, child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.NoSession));
        Assert.That(parent.Take(child.Peer, child.Cut(0, 5, [])).Refusal.Code, Is.EqualTo(LinkRefusalCode.NoSession), "The connection has ended.");
    }

    [TestCase("43", LinkRefusalCode.PermissionDenied, TestName = "A_sibling_is_denied")]
    [TestCase("42", LinkRefusalCode.PermissionDenied, TestName = "The_parents_own_division_is_denied")]
    [TestCase("CN", LinkRefusalCode.PermissionDenied, TestName = "A_division_above_is_denied")]
    [TestCase("420-X", LinkRefusalCode.PermissionDenied, TestName = "A_code_that_only_looks_as_if_is_denied")]
    [TestCase("4209", LinkRefusalCode.PermissionDenied, TestName = "An_unknown_code_is_denied")]
    [TestCase("４２０１", LinkRefusalCode.Malformed, TestName = "Full_width_digits_are_no_code")]
    [TestCase("", LinkRefusalCode.Malformed, TestName = "No_code_is_none")]
    public void Its_division_must_lie_below(string division, LinkRefusalCode expected)
    {
        var parent = Hubei();
        var child = new Child("wuhan", "4201", "CN");
        Assert.That(parent.Take(child.Peer, child.Hello(h => h.Division = division)).Refusal?.Code, Is.EqualTo(expected));
        Assert.That(parent.Head, Is.EqualTo(Lsn.Zero));
    }

    [Test]
    public void A_county_that_hangs_directly_under_the_province_is_welcome() => Assert.That(new Child("xiantao", "429004").Join(Hubei()).ChildEpoch, Is.EqualTo(1));

    [Test]
    public void Its_certificate_must_name_it_and_cover_its_division()
    {
        var parent = Hubei();
        var child = Wuhan();
        Assert.Multiple(() =>
        {
            Assert.That(parent.Take(new Peer(NodeId.Parse("xiantao"), [child.Division]), child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied));
            Assert.That(parent.Take(new Peer(child.Node, [DivisionCode.Parse("4301")]), child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied));
            Assert.That(parent.Take(new Peer(child.Node, [DivisionCode.Parse("4290")]), child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied));
        });
    }

    [Test]
    public void Without_a_common_protocol_both_ranges_are_named()
    {
        var refusal = Hubei().Take(Wuhan().Peer, Wuhan().Hello(h => (h.ProtocolMin, h.ProtocolMax) = (3, 7))).Refusal;
        Assert.That(refusal.Code, Is.EqualTo(LinkRefusalCode.Version));
        Assert.That(refusal.Message, Does.Contain("3 to 7").And.Contain("1 to 2"));
    }

    [Test]
    public void A_malformed_one_is_refused()
    {
        foreach (var twist in new Action<Hello>[]
        {
            h => h.Node = "Wuhan!", h => h.Incarnation = Google.Protobuf.ByteString.CopyFromUtf8("short"), h => h.Incarnation = Google.Protobuf.ByteString.CopyFrom(new byte[16]),
            h => h.HeadLsn = -1, h => h.HeadChainHash = Google.Protobuf.ByteString.Empty, h => h.Epoch = -1, h => h.LastEpoch = -1, h => h.LastEpoch = long.MaxValue,
        })
        {
            var parent = Hubei();
            Assert.That(parent.Take(Wuhan().Peer, Wuhan().Hello(twist)).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Malformed));
            Assert.That(parent.Head, Is.EqualTo(Lsn.Zero));
        }
    }

    [Test]
    public void A_new_directory_takes_the_office_and_the_old_one_is_fenced_for_ever()
    {
        var parent = Hubei();
        var old = Joined(parent);
        var fresh = Wuhan();
        fresh.Incarnation = new Incarnation(2);
        fresh.Join(parent);
        Assert.That(fresh.Epoch.Number, Is.EqualTo(2));

        // Until the new one has spoken the old one is still in office.
        old.Join(parent);
        Assert.That(parent.Take(old.Peer, old.Cut(5, 6, [])).Receipt, Is.Not.Null);

        fresh.Join(parent);
        Assert.That(parent.Take(fresh.Peer, fresh.Cut(0, 3, [])).Receipt, Is.Not.Null);
        parent.HangUp(old.Node);
        Assert.That(parent.Take(old.Peer, old.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fenced));
        old.Epoch = default;
        Assert.That(parent.Take(old.Peer, old.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fenced));
    }

    [Test]
    public void By_manual_policy_a_person_decides_about_a_new_directory()
    {
        var parent = Hubei(EpochPolicy.Asked);
        Joined(parent);
        var fresh = Wuhan();
        fresh.Incarnation = new Incarnation(2);
        parent.HangUp(fresh.Node);
        var refused = parent.Take(fresh.Peer, fresh.Hello()).Refusal;
        Assert.That(refused.Code, Is.EqualTo(LinkRefusalCode.IncarnationUnknown));
        Assert.That(refused.Message, Does.Contain($"citygrid link grant wuhan {fresh.Incarnation}"));

        // Nor is it taken at its word where it shows an epoch that this parent might have forgotten.
        fresh.Epoch = new Epoch(9, 77);
        parent.HangUp(fresh.Node);
        Assert.That(parent.Take(fresh.Peer, fresh.Hello(hello => hello.KeepsEpoch = true)).Refusal.Code, Is.EqualTo(LinkRefusalCode.IncarnationUnknown));
    }

    [Test]
    public void A_grant_goes_past_what_the_childs_history_knows()
    {
        // INV-22: this parent was restored, or lost everything; the child holds an epoch that it never heard of.
        var parent = Hubei();
        var child = Wuhan();
        child.Epoch = new Epoch(7, 99);
        Assert.That(child.Join(parent).ChildEpoch, Is.EqualTo(8));

        var restored = Wuhan();
        restored.Incarnation = new Incarnation(3);
        restored.LastEpoch = 40;
        Assert.That(restored.Join(parent).ChildEpoch, Is.EqualTo(41));
    }

    /// <summary>INV-22: a parent that lost everything, or was restored, comes to the same revisions again, and puts nobody back into office whom it had put out.</summary>
    [Test]
    public void An_epoch_that_a_child_held_with_this_parent_is_taken_as_it_is()
    {
        var parent = Hubei();
        var old = Wuhan();
        old.Epoch = new Epoch(7, 99);
        Assert.That(parent.Take(old.Peer, old.Hello(Keeps)).Welcome, Has.Property(nameof(Welcome.ChildEpoch)).EqualTo(7).And.Property(nameof(Welcome.ChildEpochNonce)).EqualTo(99));
        Assert.That(parent.Take(old.Peer, old.Cut(0, 1, [])).Receipt, Is.Not.Null);

        var renewed = Wuhan();
        (renewed.Incarnation, renewed.Epoch) = (new Incarnation(3), new Epoch(8, 55));
        parent.HangUp(old.Node);
        Assert.That(parent.Take(renewed.Peer, renewed.Hello(Keeps)).Welcome.ChildEpochNonce, Is.EqualTo(55));
        Assert.That(parent.Take(renewed.Peer, renewed.Cut(0, 1, [])).Receipt, Is.Not.Null);

        parent.HangUp(old.Node);
        Assert.That(parent.Take(old.Peer, old.Hello(Keeps)).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fenced));
    }

    /// <summary>INV-21: a parent that lost everything has seen a later life, which has not spoken yet, before an old copy of the child comes; it gives no epoch number twice.</summary>
    [Test]
    public void The_epoch_of_an_older_life_does_not_take_the_place_of_a_later_one([Values] bool isRenewedAgain, [Values] bool fromImage)
    {
        var parent = Hubei();
        var later = Wuhan();
        (later.Incarnation, later.Epoch) = (new Incarnation(3), new Epoch(8, 55));
        Assert.That(parent.Take(later.Peer, later.Hello(Keeps)).Welcome.ChildEpochNonce, Is.EqualTo(55));
        if (isRenewedAgain)
        {
            var renewed = Wuhan();
            renewed.Incarnation = new Incarnation(4);
            Assert.That(renewed.Join(parent).ChildEpoch, Is.EqualTo(9));
        }

        parent = fromImage ? parent.FromImages() : parent.Replayed();
        var old = Wuhan();
        old.Epoch = new Epoch(7, 99);
        var refused = parent.Take(old.Peer, old.Hello(Keeps)).Refusal;
        Assert.That(refused.Code, Is.EqualTo(LinkRefusalCode.Fenced));
        Assert.That(refused.Message, Does.Contain("epoch 8 since").And.Contain("--restored"));

        var restored = Wuhan();
        (restored.Incarnation, restored.LastEpoch) = (new Incarnation(5), 7);
        Assert.That(restored.Join(parent).ChildEpoch, Is.EqualTo(isRenewedAgain ? 10 : 9));
    }

    [Test]
    public void An_epoch_far_past_what_is_known_is_not_taken()
    {
        var parent = Hubei();
        var child = Wuhan();
        child.Epoch = new Epoch(ReceiverSettings.EpochLeapMax + 1, 99);
        Assert.That(parent.Take(child.Peer, child.Hello(Keeps)).Refusal.Code, Is.EqualTo(LinkRefusalCode.Malformed));
        Assert.That(parent.Reception.Child(child.Node), Is.Null);
    }

    private static void Keeps(Hello hello) => hello.KeepsEpoch = true;

    [Test]
    public void One_number_with_two_nonces_is_a_fork()
    {
        var parent = Hubei();
        var child = Joined(parent);
        parent.HangUp(child.Node);
        var twin = Wuhan();
        twin.Incarnation = new Incarnation(9);
        twin.Epoch = new Epoch(child.Epoch.Number, child.Epoch.Nonce + 1);
        Assert.That(parent.Take(twin.Peer, twin.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
        Assert.That(parent.Reception.Child(child.Node)!.Quarantine, Is.Not.Null);
    }

    [Test]
    public void A_head_before_what_was_applied_is_a_regression_and_changes_nothing()
    {
        var parent = Hubei();
        var child = Joined(parent);
        child.Head = 4;
        parent.HangUp(child.Node);
        var head = parent.Head;
        var refusal = parent.Take(child.Peer, child.Hello()).Refusal;
        Assert.Multiple(() =>
        {
            Assert.That(refusal.Code, Is.EqualTo(LinkRefusalCode.EpochRegression));
            Assert.That(refusal.Position.Lsn, Is.EqualTo(5));
            Assert.That(refusal.Message, Does.Contain("--restored"));
            Assert.That(parent.Head, Is.EqualTo(head));
        });
    }

    [Test]
    public void A_head_before_the_end_of_a_cut_under_way_is_a_regression()
    {
        var parent = Hubei();
        var child = Joined(parent);
        parent.Take(child.Peer, child.Cut(5, 9, [child.Cell(7, 1)], 1, 2));
        child.Head = 8;
        parent.HangUp(child.Node);
        Assert.That(parent.Take(child.Peer, child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.EpochRegression));
    }

    [TestCase(0, 0)]
    [TestCase(33, 0)]
    [TestCase(34, 1_020)]
    [TestCase(340, 10_200)]
    public void Many_children_are_asked_to_spread_when_they_come_back_and_few_are_not(int children, long milliseconds) =>
        Assert.That(ReceiverSettings.RedialWithinMs(children), Is.EqualTo(milliseconds));

    [Test]
    public void Another_history_at_the_cursor_is_a_fork_and_a_person_must_release_it()
    {
        var parent = Hubei();
        var child = Joined(parent);
        child.History = "another";
        parent.HangUp(child.Node);
        var refusal = parent.Take(child.Peer, child.Hello(h => h.Positions.Add(child.MarkAt(5).ToPosition(Lane.Cells, child.Incarnation, child.Epoch)))).Refusal;
        Assert.That(refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));

        child.History = "first";
        Assert.That(parent.Take(child.Peer, child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork), "It is quarantined, whatever it says now.");

        parent.Apply(ReceptionEvents.ToEvent(new QuarantineChange(child.Node, true, string.Empty, string.Empty), parent.Settings.Node));
        Assert.That(parent.Take(child.Peer, child.Hello()).Welcome, Is.Not.Null);
    }

    /// <summary>A child in office with its cells applied up to 5.</summary>
    private static Child Joined(Parent parent)
    {
        var child = Wuhan();
        child.Join(parent);
        Assert.That(parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 1)])).Receipt?.Position.Lsn, Is.EqualTo(5));
        return child;
    }
}
