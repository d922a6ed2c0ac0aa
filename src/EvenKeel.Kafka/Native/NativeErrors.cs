using System.Diagnostics.CodeAnalysis;

namespace EvenKeel.Kafka.Native;

/// <summary>
/// Failed native calls as exceptions: the one place where librdkafka's codes and error objects turn into <see cref="KafkaException"/>.
/// </summary>
internal static unsafe class NativeErrors
{
    public static void ThrowIfFailed(this KafkaErrorCode code, string doing)
    {
        if (code != KafkaErrorCode.None)
            Throw(code, doing);
    }

    /// <param name="error">An error object, destroyed here, or 0 for success.</param>
    /// <param name="doing">What was tried, with its values: "creating topic 'a'".</param>
    public static void ThrowIfErrorObject(nint error, string doing)
    {
        if (error != 0)
            throw Take(error, doing);
    }

    /// <summary>The exception for an error object, which is destroyed here.</summary>
    public static KafkaException Take(nint error, string doing)
    {
        var exception = Read(error, doing);
        Librdkafka.ErrorObjectDestroy(error);
        return exception;
    }

    /// <summary>The exception for an error object that stays somebody else's.</summary>
    public static KafkaException Read(nint error, string doing)
    {
        var code = Librdkafka.ErrorObjectCode(error);
        return new KafkaException(
            code,
            $"{doing}: {NativeText.Read(Librdkafka.ErrorObjectText(error))} ({NativeText.Read(Librdkafka.ErrorName(code))})",
            Librdkafka.ErrorObjectIsFatal(error) != 0,
            Librdkafka.ErrorObjectIsRetriable(error) != 0);
    }

    /// <summary>The code of an error object, destroyed here; none for 0.</summary>
    public static KafkaErrorCode TakeCode(nint error)
    {
        if (error == 0)
            return KafkaErrorCode.None;
        var code = Librdkafka.ErrorObjectCode(error);
        Librdkafka.ErrorObjectDestroy(error);
        return code;
    }

    [DoesNotReturn]
    private static void Throw(KafkaErrorCode code, string doing) =>
        throw new KafkaException(code, $"{doing}: {code.Describe()}", code == KafkaErrorCode.Fatal);
}
