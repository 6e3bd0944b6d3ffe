using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>
/// Each fault that the link is built against, planted in front of or behind the real code: the search must find every one. None needs a world without an end,
/// nor more than one kind of misfortune: frames keep their order, and each is found among the states nearest to the start.
/// </summary>
public sealed class Planted_faults_are_found
{
    private static readonly (char Kind, int Name, int Value)[] Story = [('c', 1, 5), ('x', 1, 1), ('c', 1, 0)];
    private static readonly (char Kind, int Name, int Value)[] Urgent = [('x', 1, 1), ('x', 2, 1)];
    private static readonly (char Kind, int Name, int Value)[] Wide = [('c', 1, 3), ('c', 2, 4), ('x', 1, 1)];

    private static readonly (char Kind, int Name, int Value)[] Long = [('c', 1, 3), ('c', 2, 4), ('c', 3, 1), ('c', 3, 2), ('c', 3, 3)];

    private static readonly (char Kind, int Name, int Value)[] Changing = [('c', 1, 3), ('c', 2, 4), ('c', 1, 5), ('c', 3, 1)];

    // L5, INV-8.
    [Test]
    public void A_gap_that_is_accepted() => IsFound(Planted.GapAccepted, new Faults(0, Losses: 1, 0, 0, 0), Urgent);

    // L9, INV-7.
    [Test]
    public void An_escalation_without_dedupe() => IsFound(Planted.NoDedupe, new Faults(0, 0, 0, 0, Restores: 1), Story);

    // L6, RULE-3.
    [Test]
    public void A_cursor_outside_the_record_of_its_effect() => IsFound(Planted.CursorBeforeTheEffect, new Faults(Crashes: 1, 0, 0, 0, 0), Story);

    // RULE-5.
    [Test]
    public void A_delta_where_an_absolute_value_was_meant() => IsFound(Planted.DeltaForAbsolute, new Faults(0, 0, 0, 0, 0), Story);

    [Test]
    public void A_cell_that_fell_to_zero_and_is_not_sent() => IsFound(Planted.DroppedTombstone, new Faults(0, 0, 0, 0, 0), Story);

    // L7, RULE-8.
    [Test]
    public void An_epoch_chosen_by_the_child() => IsFound(Planted.EpochChosenByChild, new Faults(0, 0, 0, 0, Restores: 1), Story);

    // L6, RULE-1.
    [Test]
    public void A_receipt_before_the_effect_is_durable() => IsFound(Planted.ReceiptBeforeDurable, new Faults(Crashes: 1, 0, 0, 0, 0), Story);

    // L7.
    [Test]
    public void A_connection_of_an_epoch_out_of_office() => IsFound(Planted.OldSessionNotFenced, new Faults(0, 0, 0, 0, Restores: 1), Wide);

    // L8.
    [Test]
    public void A_chain_that_is_not_compared() => IsFound(Planted.ChainNotCompared, new Faults(0, 0, 0, 0, Restores: 1), Wide);

    // L10.
    [Test]
    public void A_receipt_that_is_believed_unchecked() => IsFound(Planted.ReceiptBelievedUnchecked, new Faults(0, Losses: 1, 0, 0, 0), Wide);

    // L5.
    [Test]
    public void A_last_part_without_those_before_it() => IsFound(Planted.LastPartAlone, new Faults(0, Losses: 1, 0, 0, 0), Wide);

    // L8, INV-21.
    [Test]
    public void A_history_that_goes_on_where_another_had_begun() => IsFound(Planted.HeardNotShown, new Faults(0, 0, 0, 0, Restores: 1), Long);

    // L8, INV-21.
    [Test]
    public void A_cut_that_left_out_what_had_changed_in_another_history() => IsFound(Planted.ReadNotShown, new Faults(0, 0, 0, 0, Restores: 1), cellsACut: 1, Changing);

    private static void IsFound(Planted planted, Faults faults, params (char Kind, int Name, int Value)[] script) => IsFound(planted, faults, int.MaxValue, script);

    private static void IsFound(Planted planted, Faults faults, int cellsACut, params (char Kind, int Name, int Value)[] script)
    {
        var rules = new SmallWorldRules(planted, script) { CellsACut = cellsACut };
        var result = new SmallWorldSearch(rules, rules.Start(faults with { Overtakings = 0 })).Run(60_000);
        TestContext.Out.WriteLine($"{planted} after {result.States} states: {result.Fault}\n  {string.Join("\n  ", result.Way)}");
        Assert.That(result.Fault, Is.Not.Null, $"{planted} was not found among {result.States} states.");
    }
}
