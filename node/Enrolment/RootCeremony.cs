using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Node.Enrolment;

/// <summary>
/// The beginning of a network (clause E1): the node at the root of the tree makes the root and gives itself its certificates. It is done once; a second root would be
/// another network.
/// </summary>
public static class RootCeremony
{
    /// <exception cref="EnrolmentRefusedException">The configuration names no authority, there is a root already, or the files of one that was begun are none.</exception>
    public static void Hold(NodeConfiguration configuration, TimeProvider clock, IEntropy entropy)
    {
        if (configuration.Children is not { } children || configuration.Parent is not null)
        {
            throw new EnrolmentRefusedException(new Refusal("NO_ROOT_HERE", $"{configuration.File} is not of the node at the root of the tree: it has no parent section, and a children section that names its authority."));
        }

        if (File.Exists(configuration.Link.CertificateFile))
        {
            throw new EnrolmentRefusedException(new Refusal("ROOT_EXISTS", $"{configuration.Node} has a certificate at {configuration.Link.CertificateFile}, so it is of a network already. Every certificate below hangs on its root; move all of them aside only to found another network."));
        }

        if (!File.Exists(children.AuthorityFile))
        {
            var (certificate, key) = CertificateAuthority.NewRoot(configuration.Node, [configuration.Division], clock.GetUtcNow(), entropy);
            CredentialFiles.Write(children.AuthorityKeyFile, key);
            Failpoint.Hit("root.key.written");
            CredentialFiles.Write(children.AuthorityFile, certificate);
            Failpoint.Hit("root.made");
        }

        // Where the first time was cut short the root is there and the node's own certificates are not.
        var root = File.ReadAllText(children.AuthorityFile);
        using var authority = Opened(root, children);
        GiveItself(configuration, authority, clock, entropy);
    }

    private static CertificateAuthority Opened(string root, ChildrenConfiguration children)
    {
        try
        {
            return CertificateAuthority.Open(root, File.ReadAllText(children.AuthorityKeyFile), root);
        }
        catch (CryptographicException unusable)
        {
            throw new EnrolmentRefusedException(new Refusal(
                "ROOT_UNUSABLE", $"{children.AuthorityFile} and {children.AuthorityKeyFile} are no certificate and key of a root: {unusable.Message} Move them aside, and another root is made."));
        }
    }

    /// <summary>New certificates for the node at the root, which has nobody above to ask.</summary>
    public static DateTimeOffset GiveItself(NodeConfiguration configuration, CertificateAuthority authority, TimeProvider clock, IEntropy entropy)
    {
        var files = CredentialFiles.Of(configuration);
        files = files with { Pairs = [.. files.Pairs.Where(p => p.Kind != CertificateKind.Authority)] };
        var given = new List<GivenCertificate>();
        foreach (var pair in files.Pairs)
        {
            using var next = CredentialFiles.NextKey(pair);
            var issued = authority.Issue(
                pair.Kind, configuration.Node, [configuration.Division], new(next), clock.GetUtcNow(), configuration.Children!.CertificateLife.ToTimeSpan(), CertificateAuthority.SerialFrom(entropy));
            given.Add(new GivenCertificate { Kind = pair.Kind, Certificate = ByteString.CopyFrom(issued.Der.Span) });
        }

        var enrollee = new Enrollee(configuration.Node, configuration.Division, RegisterCheck.Read(configuration), files);
        var trust = new NetworkTrust([X509CertificateLoader.LoadCertificate(authority.Root.Span)], enrollee.Register);
        return new EnrolmentClient(clock).Install(enrollee, new(given, []), trust, CredentialFiles.NextKey, authority.Root.ToArray());
    }
}
