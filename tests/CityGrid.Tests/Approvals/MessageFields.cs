using System.Collections;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Tests.Approvals;

/// <summary>Which fields of a message say something: a golden message that is to show a whole format leaves none out.</summary>
internal static class MessageFields
{
    /// <summary>The fields of the message, and of those in it, that say nothing anywhere.</summary>
    public static IReadOnlyList<string> MissingIn(IMessage message)
    {
        var filled = Filled(message);
        return [.. FieldsOf(message.Descriptor).Where(field => !filled.Contains(field)).Select(field => field.FullName)];
    }

    /// <summary>The fields that say something, anywhere in the message.</summary>
    public static IReadOnlySet<string> SaidIn(IMessage message) => Filled(message).Select(field => field.FullName).ToHashSet();

    private static HashSet<FieldDescriptor> FieldsOf(MessageDescriptor message)
    {
        var fields = new HashSet<FieldDescriptor>();
        var open = new Stack<MessageDescriptor>([message]);
        while (open.TryPop(out var one))
        {
            foreach (var field in one.Fields.InDeclarationOrder().Where(fields.Add).Where(field => field.FieldType == FieldType.Message))
            {
                open.Push(field.MessageType);
            }
        }

        return fields;
    }

    private static HashSet<FieldDescriptor> Filled(IMessage message)
    {
        var filled = new HashSet<FieldDescriptor>();
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
        {
            var value = field.Accessor.GetValue(message);
            var values = value is IList list ? list.Cast<object>().ToArray() : IsSet(field, message, value) ? [value] : [];
            if (values.Length > 0)
            {
                filled.Add(field);
                filled.UnionWith(values.OfType<IMessage>().SelectMany(Filled));
            }
        }

        return filled;
    }

    private static bool IsSet(FieldDescriptor field, IMessage message, object? value) => field.HasPresence
        ? field.Accessor.HasValue(message)
        : value switch
        {
            string text => text.Length > 0,
            ByteString bytes => !bytes.IsEmpty,
            bool flag => flag,
            _ => Convert.ToDouble(value, CultureInfo.InvariantCulture) != 0,
        };
}
