using System.CommandLine;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Protocol.Names;
using Spectre.Console;

namespace CityGrid.Cli.Enrolment;

/// <summary><c>citygrid enrol</c>: a node takes the place that its parent opened for it.</summary>
internal static class EnrolCommand
{
    public static Command Create()
    {
        var parent = new Option<string>("--parent") { Description = Texts.Get("OptionParent"), Required = true };
        var code = new Option<string>("--code") { Description = Texts.Get("OptionCode"), Required = true };
        var config = new Option<string?>("--config") { Description = Texts.Get("OptionConfig") };
        var folder = new Option<string?>("--out") { Description = Texts.Get("OptionOut") };
        var name = new Option<string?>("--name") { Description = Texts.Get("OptionName") };
        var division = new Option<string?>("--division") { Description = Texts.Get("OptionDivision") };
        var register = new Option<string?>("--register") { Description = Texts.Get("OptionRegister") };
        var authority = new Option<bool>("--authority") { Description = Texts.Get("OptionAuthority") };
        var sector = new Option<bool>("--sector") { Description = Texts.Get("OptionSector") };
        var command = new Command("enrol", Texts.Get("CommandEnrol")) { parent, code, config, folder, name, division, register, authority, sector };
        command.SetAction((parsed, stop) => Commands.Guarded(async () =>
        {
            if (!EnrolmentCode.TryParse(parsed.GetRequiredValue(code), out var read))
            {
                return Commands.Fail(Texts.Get("CodeBad"), 2);
            }

            if (!Uri.TryCreate(parsed.GetRequiredValue(parent), UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps)
            {
                return Commands.Fail(Texts.Get("EnrolParentBad", parsed.GetRequiredValue(parent)), 2);
            }

            Enrollee enrollee;
            Uri? proxy = null;
            if (parsed.GetValue(sector))
            {
                if (parsed.GetValue(config) is not { } beside)
                {
                    return Commands.Fail(Texts.Get("EnrolSectorWants"), 2);
                }

                var configuration = ConfigurationFile.LoadUnenrolled(beside);
                if (CredentialFiles.OfSector(configuration) is not { } files)
                {
                    return Commands.Fail(Texts.Get("EnrolSectorWants"), 2);
                }

                proxy = configuration.SectorParent!.Proxy;
                HoldAgainst(configuration.SectorParent.Node, read!);
                enrollee = new Enrollee(configuration.Node, configuration.Division, RegisterCheck.OfSector(configuration, RegisterCheck.Read(configuration)), files) { KeepsRoot = true };
            }
            else if (parsed.GetValue(config) is { } file)
            {
                var configuration = ConfigurationFile.LoadUnenrolled(file);
                proxy = configuration.Parent?.Proxy;
                HoldAgainst(configuration.Parent?.Node, read!);
                enrollee = new Enrollee(configuration.Node, configuration.Division, RegisterCheck.Read(configuration), CredentialFiles.Of(configuration));
            }
            else if (parsed.GetValue(folder) is { } into && NodeId.TryParse(parsed.GetValue(name), out var node) && DivisionCode.TryParse(parsed.GetValue(division), out var place))
            {
                var reading = DivisionRegister.Load(parsed.GetValue(register));
                if (reading.Register is not { } divisions)
                {
                    return Commands.Fail(Texts.Get("RegisterBad", reading.Faults[0]), 2);
                }

                enrollee = new Enrollee(node, place, divisions, CredentialFiles.In(Path.GetFullPath(into), parsed.GetValue(authority)));
            }
            else
            {
                return Commands.Fail(Texts.Get("EnrolWants"), 2);
            }

            var end = await new EnrolmentClient(TimeProvider.System, proxy).EnrolAsync(url, read!, enrollee, stop);
            AnsiConsole.WriteLine(Texts.Get("Enrolled", enrollee.Node, read!.Parent, end.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture)));
            foreach (var pair in enrollee.Files.Pairs)
            {
                AnsiConsole.WriteLine($"  {pair.Certificate}  {pair.Key}");
            }

            return 0;
        }));
        return command;
    }

    /// <summary>A code of another parent than the one that is configured would replace the certificates for this one by some that it does not take.</summary>
    private static void HoldAgainst(NodeId? configured, EnrolmentCode code)
    {
        if (configured is { } parent && parent != code.Parent)
        {
            throw new EnrolmentRefusedException(new Refusal("PARENT_IS_ANOTHER", Texts.Get("EnrolCodeOfAnother", code.Parent, parent)));
        }
    }
}
