using EvenKeel.Testing.Tests;

namespace EvenKeel.Testing.XunitV3.Tests;

/// <summary>Where tests of a child process note what they saw, for the test that started it.</summary>
internal sealed class NotesFolder : IDisposable
{
    public const string Setting = "TEST_NOTES_FOLDER";
    private static readonly Lock Gate = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("evenkeel-notes-");

    public string Path => _folder.FullName;

    /// <summary>In the child.</summary>
    public static void Note(string about, string line)
    {
        lock (Gate)
            File.AppendAllText(System.IO.Path.Combine(ChildProcess.Setting(Setting), about), line + "\n");
    }

    public string[] Read(string about) => File.ReadAllLines(System.IO.Path.Combine(Path, about));

    public void Dispose() => _folder.Delete(recursive: true);
}
