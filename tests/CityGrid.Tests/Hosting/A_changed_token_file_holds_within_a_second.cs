using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>Tokens are given and taken back without a restart; a mistake in the file locks nobody out.</summary>
public sealed class A_changed_token_file_holds_within_a_second
{
    private const string Young = "young-token-00000000000000000000000000";

    [Test]
    public void A_new_token_is_taken_and_a_missing_one_is_not()
    {
        using var folder = new NodeFolder();
        using var log = new QuietLog();
        var time = new VirtualTime(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
        var book = Book(folder, new VirtualClock(time), log);

        Change(folder, $"desk-2 operator {Young}\n");
        var before = book.OwnerOf(NodeFolder.OperatorToken);
        time.Run(TimeSpan.FromSeconds(1));

        Assert.Multiple(() =>
        {
            Assert.That(before!.Actor, Is.EqualTo("desk-1"), "the file is looked at once a second");
            Assert.That(book.OwnerOf(Young)!.Actor, Is.EqualTo("desk-2"));
            Assert.That(book.OwnerOf(NodeFolder.OperatorToken), Is.Null);
        });
    }

    [TestCase("desk-2 operator short\n")]
    [TestCase("desk-2 chief young-token-00000000000000000000000000\n")]
    public void One_with_a_fault_changes_nothing_and_is_told(string text)
    {
        using var folder = new NodeFolder();
        using var log = new QuietLog();
        var time = new VirtualTime(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
        var book = Book(folder, new VirtualClock(time), log);

        Change(folder, text);
        time.Run(TimeSpan.FromSeconds(1));

        Assert.Multiple(() =>
        {
            Assert.That(book.OwnerOf(NodeFolder.OperatorToken)!.Actor, Is.EqualTo("desk-1"));
            Assert.That(log.Lines.Select(line => line.Event), Is.EqualTo(new[] { 111 }));
        });
    }

    private static TokenBook Book(NodeFolder folder, TimeProvider clock, QuietLog log)
    {
        using var logs = LoggerFactory.Create(builder => builder.AddProvider(log));
        return new TokenBook(folder.In("tokens"), clock, logs.CreateLogger<TokenBook>());
    }

    private static void Change(NodeFolder folder, string text)
    {
        folder.Write("tokens", text);
        File.SetLastWriteTimeUtc(folder.In("tokens"), File.GetLastWriteTimeUtc(folder.In("tokens")).AddSeconds(5));
    }
}
