using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Bundles;

/// <summary>What became of a child's bundle: the answer for the child, and every receipt, also those that the answer can do without.</summary>
public sealed record BundleAnswer(BundleContent Content, IReadOnlyList<Receipt> Receipts);

/// <summary>Takes what a child says in a bundle as if it had come on a connection of its own, and makes the answer for it (clauses B3 and B4).</summary>
public sealed class BundleDoor(LinkDoor door, OrderReader orders, Sequencer sequencer)
{
    /// <summary>What became of it: a refusal ends it, and the rest is not looked at. The same bundle again has no effect.</summary>
    public async Task<BundleAnswer> TakeAsync(IPeerIdentity maker, BundleContent content)
    {
        var connection = new LinkConnection(maker, _ => { });
        var answers = new List<ConnectResponse>();
        foreach (var request in content.Requests.TakeWhile(_ => !connection.IsOver))
        {
            if (await door.TakeAsync(connection, request) is { } response)
            {
                answers.Add(response);
                if (IsBusy(response))
                {
                    break;
                }
            }
        }

        return AnswerOf(connection, content, answers);
    }

    /// <summary>The same for a caller that pumps the sequencer by hand.</summary>
    public void Take(IPeerIdentity maker, BundleContent content, Action<BundleAnswer> answered)
    {
        var connection = new LinkConnection(maker, _ => { });
        var answers = new List<ConnectResponse>();
        Next(0);

        void Next(int at)
        {
            if (connection.IsOver || at == content.Requests.Count)
            {
                answered(AnswerOf(connection, content, answers));
                return;
            }

            door.Take(connection, content.Requests[at], response =>
            {
                answers.Add(response);
                Next(IsBusy(response) ? content.Requests.Count : at + 1);
            });
        }
    }

    /// <summary>
    /// What can wait is not taken from a file either while the node lets go of it; the same bundle again brings the rest. Cells stand last in it, so whatever cannot wait was taken.
    /// </summary>
    private static bool IsBusy(ConnectResponse response) => response.Refusal is { Code: LinkRefusalCode.Busy };

    private BundleAnswer AnswerOf(LinkConnection connection, BundleContent content, List<ConnectResponse> answers)
    {
        var answer = new BundleContent { ReachesHead = content.ReachesHead };
        answer.Responses.AddRange(answers.Where((response, at) => Matters(response, answers.Skip(at + 1))));
        if (connection.Session is { } session && content.Requests.FirstOrDefault()?.Hello is { } hello && door.IsInOffice(session)
            && sequencer.Read(() => orders.Read(session.Division, orders.CursorOf(hello), sequencer.Applied, knowsHead: false)) is { } part)
        {
            // One part, about 120 orders: what is left goes with the next answer.
            answer.Responses.Add(new ConnectResponse { Orders = part });
        }

        if (connection.Session is { } standing && door.IsInOffice(standing))
        {
            answer.Responses.AddRange(door.PackagesInWhole(connection).Select(chunk => new ConnectResponse { Package = chunk }));
        }

        return new BundleAnswer(answer, [.. answers.Select(response => response.Receipt).OfType<Receipt>()]);
    }

    /// <summary>Of receipts without a named record only the last of a lane says something.</summary>
    private static bool Matters(ConnectResponse response, IEnumerable<ConnectResponse> later) =>
        response.Receipt is not { Records.Count: 0 } receipt || !later.Any(other => other.Receipt?.Lane == receipt.Lane);
}
