using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>T10, L16 with the programs: the journey of a figure and of a case, ranges compared on demand, and a register held against the one in use, with what each command ends with.</summary>
public sealed class Anyone_can_ask_why
{
    [Test]
    public async Task Whether_all_tiers_answer_or_one_of_them_is_down()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (root, city) = (trees.Tree.Root, trees.Tree.Cities.Single());
        var province = trees.Tree.Nodes.Single(node => node.Node == city.Parent);
        var day = StatDay.Of(SystemClock.Instance.GetCurrentInstant(), DateTimeZoneProviders.Tzdb["Asia/Shanghai"]);
        string id;
        using (var desk = new NodeClient(city.GrpcUrl, city.Tokens["desk"]))
        {
            id = (await desk.Cases.ReportAsync(new ReportRequest { RequestKey = "why-1", Type = "06010", Source = "hotline" }, desk.Options)).Step.CaseId;
        }

        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True);
        string[] cell = ["why", "--origin", city.Node, "--type", "06010", "--day", $"{day}", "--dir", trees.Tree.Folder];
        Assert.That(await SaysAsync(0, cell), Does.Contain(city.Node).And.Contain(province.Node).And.Contain(root.Node).And.Contain("3 of 3"));
        Assert.That(await SaysAsync(0, "why", id, "--dir", trees.Tree.Folder), Does.Contain(id));
        Assert.That(await ComparedAsync(trees.Tree.Folder), Does.Contain($"{province.Node} ← {city.Node}").And.Contain($"{root.Node} ← {province.Node}"));
        Assert.That(await SaysAsync(2, "reconcile", "--dir", trees.Tree.Folder, "--with", "nobody"), Does.Contain("nobody is no node of this tree").And.Contain(city.Node));

        trees.Running.Kill(province.Node);
        Assert.That(await SaysAsync(1, cell), Does.Contain(city.Node).And.Contain(root.Node).And.Contain(province.GrpcUrl), "who holds it beyond the gap is told too");
        Assert.That(await SaysAsync(1, "reconcile", "--dir", trees.Tree.Folder, "--seconds", "1"), Does.Contain(province.GrpcUrl));
    }

    [Test]
    public async Task And_whether_a_register_may_take_the_place_of_another()
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        try
        {
            const string rows = "code,parent,name_zh,name_en,kind,valid_from,valid_to\nN,,国,Nation,nation,,\nA,N,甲,A,province,,\nX,A,城,X,city,,\n";
            var (present, same, lost) = (Path.Combine(folder, "present.csv"), Path.Combine(folder, "same.csv"), Path.Combine(folder, "lost.csv"));
            await File.WriteAllTextAsync(present, rows);
            await File.WriteAllTextAsync(same, rows);
            await File.WriteAllTextAsync(lost, rows.Replace("X,A,城,X,city,,\n", string.Empty, StringComparison.Ordinal));
            await SaysAsync(0, "register", "check", same, "--present", present);
            Assert.That(await SaysAsync(1, "register", "check", lost, "--present", present), Does.Contain("Gone: X"));
            var inChinese = await Programs.CityGridAsync("register", "check", lost, "--present", present, "--lang", "zh");
            Assert.That((inChinese.Code, inChinese.Error), Is.EqualTo((1, "缺少：X。编码永不删除，只能终止：请在其最后一行填写 valid_to，并在 successor 中填写并入的区划。" + Environment.NewLine)));
            Assert.That(await SaysAsync(1, "register", "check", Path.Combine(folder, "nowhere.csv"), "--present", present), Does.Contain("nowhere.csv"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Ranges that something newer overtook while they were compared cannot be told of (NOT_COMPARED); asked again they can.</summary>
    private static async Task<string> ComparedAsync(string folder)
    {
        for (var times = 1; ; times++)
        {
            var ended = await Programs.CityGridAsync("reconcile", "--dir", folder, "--seconds", "60", "--lang", "en");
            if (ended.Code == 0 || times == 10)
            {
                Assert.That(ended.Code, Is.Zero, ended.Output + ended.Error);
                return ended.Output;
            }
        }
    }

    private static async Task<string> SaysAsync(int code, params string[] arguments)
    {
        var ended = await Programs.CityGridAsync([.. arguments, "--lang", "en"]);
        Assert.That(ended.Code, Is.EqualTo(code), $"citygrid {string.Join(' ', arguments)}: {ended.Output}{ended.Error}");
        return ended.Output + ended.Error;
    }
}
