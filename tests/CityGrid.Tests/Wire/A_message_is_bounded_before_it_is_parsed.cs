using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Wire;

/// <summary>SEC-19, INV-26: depth, items of a list and items in all are counted in the bytes; two bytes are an object of a hundred once they are parsed.</summary>
public sealed class A_message_is_bounded_before_it_is_parsed
{
    [TestCase(63, true)]
    [TestCase(64, false)]
    [TestCase(100_000, false)]
    public void As_deep_as_64_levels_and_no_deeper(int groups, bool taken)
    {
        // Groups within groups as field 15, which no message of the contract knows.
        byte[] bytes = [.. Enumerable.Repeat((byte)0x7B, groups), .. Enumerable.Repeat((byte)0x7C, groups)];

        Assert.That(MessageBounds.Fault(bytes, GetRequest.Descriptor), taken ? Is.Null : Does.Contain("64 levels"));
    }

    [TestCase(10_000, true)]
    [TestCase(10_001, false)]
    public void A_list_has_at_most_10_000_items(int items, bool taken)
    {
        var rows = new ImportRowsRequest();
        rows.Rows.AddRange(Enumerable.Range(0, items).Select(_ => new ImportRow()));
        var packed = new ConnectRequest { Cells = new CellsPart() };
        packed.Cells.CompleteOrigins.AddRange(Enumerable.Range(0, items).Select(i => i % 300));
        // The same numbers, each with a tag of its own, as a writer may send them.
        var part = Enumerable.Range(0, items).SelectMany(_ => new byte[] { 0x48, 0x05 }).ToArray();
        using var spread = new MemoryStream();
        var output = new CodedOutputStream(spread);
        output.WriteTag(3, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(part));
        output.Flush();

        Assert.Multiple(() =>
        {
            Assert.That(MessageBounds.Fault(rows.ToByteArray(), ImportRowsRequest.Descriptor), taken ? Is.Null : Does.Contain("rows has more than 10000"));
            Assert.That(MessageBounds.Fault(packed.ToByteArray(), ConnectRequest.Descriptor), taken ? Is.Null : Does.Contain("complete_origins"));
            Assert.That(MessageBounds.Fault(spread.ToArray(), ConnectRequest.Descriptor), taken ? Is.Null : Does.Contain("complete_origins"));
        });
    }

    [Test]
    public void And_all_lists_together_have_50_000()
    {
        var request = new ConnectRequest { Escalations = new EscalationsPart() };
        for (var i = 0; i < 6; i++)
        {
            var envelope = new EscalationEnvelope();
            envelope.Hops.AddRange(Enumerable.Range(0, 9_000).Select(_ => new Hop()));
            request.Escalations.Escalations.Add(envelope);
        }

        Assert.That(MessageBounds.Fault(request.ToByteArray(), ConnectRequest.Descriptor), Does.Contain("50000 items in all"));
    }

    [Test]
    public void A_message_of_nothing_but_empty_ones_costs_no_memory()
    {
        // 4 MB that would be two million rows of some 200 bytes.
        var bytes = new byte[4 << 20];
        for (var i = 0; i < bytes.Length; i += 2)
        {
            bytes[i] = 0x12;
        }

        Assert.That(MessageBounds.Fault(bytes, ImportRowsRequest.Descriptor), Is.Not.Null);
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = MessageBounds.Fault(bytes, ImportRowsRequest.Descriptor);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4096));
    }

    [Test]
    public void What_the_contract_allows_is_never_refused()
    {
        var child = new Child("wuhan", "4201");
        var full = child.Cut(0, 5, Enumerable.Range(1, 1000).Select(i => child.Cell(i, i)));
        full.Cells.Symbols.AddRange(Enumerable.Range(0, 9_000).Select(i => $"s{i}"));
        full.Cells.CompleteOrigins.AddRange(Enumerable.Range(0, 10_000));
        full.Cells.Watermarks.AddRange(Enumerable.Range(0, 10_000).Select(_ => new Watermark()));

        Assert.Multiple(() =>
        {
            Assert.That(MessageBounds.Fault(full.ToByteArray(), ConnectRequest.Descriptor), Is.Null);
            Assert.That(MessageBounds.Fault(child.Hello().ToByteArray(), ConnectRequest.Descriptor), Is.Null);
            Assert.That(MessageBounds.Fault([], ConnectRequest.Descriptor), Is.Null);
        });
    }

    [Test]
    public void Whatever_the_bytes_it_only_says_so()
    {
        var entropy = new SeededEntropy(7);
        var good = new Child("wuhan", "4201").Hello().ToByteArray();
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = (byte[])good.Clone();
            for (var k = entropy.Below(4); k >= 0; k--)
            {
                bytes[entropy.Below(bytes.Length)] = (byte)entropy.Below(256);
            }

            var cut = bytes.AsSpan(0, entropy.Below(bytes.Length + 1));
            if (MessageBounds.Fault(cut, ConnectRequest.Descriptor) is { } fault && fault.StartsWith("The bytes", StringComparison.Ordinal))
            {
                var broken = cut.ToArray();
                Assert.That(() => ConnectRequest.Parser.ParseFrom(broken), Throws.InstanceOf<InvalidProtocolBufferException>(), "what it calls unreadable the library cannot read either");
            }
        }
    }
}
